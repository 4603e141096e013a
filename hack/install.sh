# shellcheck shell=bash disable=SC2034 # variables: for the scripts that source this
# Sourced by the scripts of this folder: says what it does, and installs what is missing on Debian and Ubuntu.
# Where everything is there it costs some ten milliseconds.

# A function that fails inside $(…) ends the script, as one outside does.
shopt -s inherit_errexit

# The checkout, and the folder for whatever can be made again.
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cache=$checkout/.cache

# What the kernel tests, the demo and the bench call inside the machine (or natively, in a namespace).
kernel_tools=(conntrack ipset iproute2 iptables ipvsadm kmod nftables procps tcpdump util-linux)

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }

fail() {
  say "$*"
  exit 1
}

# Runs a command as root; says how to get on where that cannot be.
as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    sudo "$@"
  elif command -v sudo >/dev/null && [[ -t 0 ]]; then
    say "sudo is needed for: $*"
    sudo "$@"
  else
    fail "needs root (or sudo) for: $*"
  fi
}

# Names of those Debian packages that are not installed.
missing_packages() {
  local package status
  declare -A installed=()
  while read -r package status; do
    [[ $status == installed ]] && installed[$package]=1
  done < <(dpkg-query --show --showformat '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null)
  for package in "$@"; do
    [[ ${installed[$package]:-} ]] || printf '%s\n' "$package"
  done
}

# The package lists may be empty (a container image) or old: they are read again once, when something is not found.
apt_update() {
  say 'apt-get update'
  as_root apt-get update -qq
}

# ensure_packages NAME…: installs the Debian packages that are missing, without recommends.
ensure_packages() {
  command -v dpkg-query >/dev/null || {
    say "no dpkg here: make sure that these are installed: $*"
    return
  }
  local missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  say "apt-get install ${missing[*]}"
  apt_install "${missing[@]}" || {
    apt_update
    apt_install "${missing[@]}" || fail "could not install: ${missing[*]}"
  }
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@" </dev/null >&2
}

# Node 24 itself comes with the lock file; any Node from 20 on, with npm, can install it.
ensure_node_modules() {
  local lock=$checkout/package-lock.json stamp=$checkout/node_modules/.package-lock.json
  if [[ ! -e $stamp || $lock -nt $stamp || ! -x $checkout/node_modules/.bin/node ]]; then
    command -v npm >/dev/null || fail 'npm (with any Node from 20 on) is needed, and is not there'
    say 'npm ci'
    (cd "$checkout" && npm ci --ignore-scripts --no-audit --no-fund --include=dev --include=optional --loglevel=error) >&2
    touch "$stamp"
  fi
}
