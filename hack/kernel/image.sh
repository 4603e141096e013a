# shellcheck shell=bash disable=SC2154 # cache, checkout: install.sh
# Sourced by with-kernel.sh: the distribution's own kernel, unpacked (never installed) below .cache/kernel/VERSION:
#   vmlinux       the kernel, unpacked where QEMU can start it so (that saves the guest a second of decompression)
#   lib/modules/  all its modules
#   initramfs     busybox, the few modules that reach the host's files, and kernel/init

# What it takes to reach the host's files and the output ports.
boot_modules=(virtio_pci 9p 9pnet_virtio overlay virtio_console)

# The package that depends on the newest kernel. The cloud flavours have no 9p.
default_kernel_package() {
  local ID='' ID_LIKE=''
  # shellcheck disable=SC1091
  . /etc/os-release
  case " $ID $ID_LIKE " in
    *' ubuntu '*) echo linux-image-generic ;;
    *) echo linux-image-amd64 ;;
  esac
}

# kernel_image: prints the folder of the unpacked kernel; downloads it the first time.
kernel_image() {
  local package=${KERNEL_VM_PACKAGE:-$(default_kernel_package)}
  local folder=$cache/kernel/$package
  if [[ ! -e $folder/vmlinux ]]; then
    mkdir -p "$cache/kernel"
    # Two machines may be started at once.
    (
      flock 9
      [[ -e $folder/vmlinux ]] || unpack_kernel "$package" "$folder"
    ) 9>"$cache/kernel/.lock"
  fi
  refresh_initramfs "$folder"
  (cd "$folder" && pwd -P)
}

# The kernel package itself and, on Ubuntu, the two packages with its modules.
kernel_packages() {
  local package=$1 image name
  image=$(apt-cache depends "$package" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1)
  image=${image:-$package}
  printf '%s\n' "$image"
  for name in "${image/linux-image/linux-modules}" "${image/linux-image/linux-modules-extra}"; do
    [[ $name == "$image" ]] || ! apt-cache show "$name" >/dev/null 2>&1 || printf '%s\n' "$name"
  done
}

unpack_kernel() {
  local package=$1 link=$2 work names version deb
  apt-cache show "$package" >/dev/null 2>&1 || apt_update
  mapfile -t names < <(kernel_packages "$package")
  say "unpacking ${names[*]} (not installed), once"
  work=$(mktemp -d "$cache/kernel/unpack.XXXXXX")
  # apt drops root's rights for the download where the folder allows it, and warns where not.
  (cd "$work" && apt-get download -qq -o APT::Sandbox::User=root "${names[@]}" >&2) ||
    fail "could not download ${names[*]}"
  for deb in "$work"/*.deb; do dpkg -x "$deb" "$work/root"; done
  version=$(basename "$work"/root/boot/vmlinuz-*)
  version=${version#vmlinuz-}
  [[ -d $work/root/usr/lib/modules ]] || { mkdir -p "$work/root/usr" && mv "$work/root/lib" "$work/root/usr/lib"; }
  mkdir "$work/image" "$work/image/lib"
  mv "$work/root/usr/lib/modules" "$work/image/lib/modules"
  depmod -b "$work/image" "$version"
  check_modules "$work/image" "$version"
  bare_kernel "$work/root/boot/vmlinuz-$version" "$work/image/vmlinux"
  rm -rf "$cache/kernel/$version"
  mv "$work/image" "$cache/kernel/$version"
  ln -sfn "$version" "$link"
  rm -rf "$work"
}

# A flavour without what the tests need is told at once, not by a machine that hangs.
check_modules() {
  local module
  for module in "${boot_modules[@]}" ip_vs dummy sctp; do
    modprobe -d "$1" -S "$2" --show-depends "$module" >/dev/null 2>&1 ||
      fail "kernel $2 has no module $module: choose another with KERNEL_VM_PACKAGE"
  done
}

# bare_kernel BZIMAGE TO: the ELF kernel inside a bzImage, or the bzImage itself if it is not found.
bare_kernel() {
  local format magic unpack offset
  for format in 'xz:\xfd7zXZ\x00' 'zstd:\x28\xb5\x2f\xfd' 'gzip:\x1f\x8b\x08'; do
    unpack=${format%%:*} magic=${format#*:}
    command -v "$unpack" >/dev/null || continue
    while read -r offset; do
      tail -c "+$((offset + 1))" "$1" | "$unpack" -dc >"$2" 2>/dev/null || true
      [[ $(head -c 4 "$2" | tail -c 3) == ELF ]] && return
    done < <(LC_ALL=C grep --text --only-matching --byte-offset --perl-regexp "$magic" "$1" | cut -d: -f1)
  done
  cp "$1" "$2"
}

# Made anew when kernel/init is newer.
refresh_initramfs() {
  local folder=$1 work
  [[ ! $folder/initramfs -nt $checkout/hack/kernel/init || ! $folder/initramfs -nt $checkout/hack/kernel/image.sh ]] || return 0
  work=$(mktemp -d)
  mkdir -p "$work"/{bin,modules,proc,sys,dev,control,host,upper,root}
  cp "$(command -v busybox)" "$work/bin/busybox"
  cp "$checkout/hack/kernel/init" "$work/init"
  chmod +x "$work/init"
  boot_module_files "$folder" | copy_modules "$work"
  (cd "$work" && find . | cpio --quiet -o -H newc) >"$folder/initramfs.$$"
  mv "$folder/initramfs.$$" "$folder/initramfs"
  rm -rf "$work"
}

# In the order in which they have to be loaded.
boot_module_files() {
  local version module
  version=$(basename "$1"/lib/modules/*)
  for module in "${boot_modules[@]}"; do
    modprobe -d "$1" -S "$version" --show-depends "$module"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

copy_modules() {
  local file name
  while read -r file; do
    name=$(basename "$file")
    case $name in
      *.xz) xz -dc "$file" >"$1/modules/${name%.xz}" ;;
      *.zst) zstd -qdc "$file" >"$1/modules/${name%.zst}" ;;
      *) cp "$file" "$1/modules/$name" ;;
    esac
    name=${name%.xz}
    printf '%s\n' "${name%.zst}" >>"$1/modules/order"
  done
}
