# shellcheck shell=bash disable=SC2154 # cache, checkout: install.sh
# Sourced by with-kernel.sh: node_modules as a disk image. The host's files are reached through 9p, a round trip for
# each file, and node_modules has thousands; from an image the same tests start in a fraction of the time.

# modules_disk: prints the image for the present node_modules, made when they were installed anew; nothing without them.
modules_disk() {
  local modules=$checkout/node_modules image=$cache/kernel/node_modules.ext4
  [[ -e $modules/.package-lock.json ]] || return 0
  if [[ ! $image -nt $modules/.package-lock.json ]]; then
    (
      flock 9
      [[ $image -nt $modules/.package-lock.json ]] || make_disk "$modules" "$image"
    ) 9>"$cache/kernel/.lock"
  fi
  printf '%s\n' "$image"
}

make_disk() {
  local blocks inodes
  say 'making a disk of node_modules, once'
  # Half as much again, for the file system itself and for what is written there.
  blocks=$(($(du -s --block-size=4096 --apparent-size "$1" | cut -f1) * 3 / 2 + 20000))
  inodes=$(($(find "$1" | wc -l) * 3 / 2 + 5000))
  rm -f "$2.part"
  mke2fs -q -t ext4 -O ^has_journal -E root_owner=0:0 -m 0 -b 4096 -N "$inodes" -d "$1" "$2.part" "$blocks" >/dev/null
  mv "$2.part" "$2"
}
