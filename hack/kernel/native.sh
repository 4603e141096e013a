# shellcheck shell=bash
# Sourced by with-kernel.sh: the running kernel, where it has what is needed.

# Whether this kernel has IPVS and dummy devices, loading them if it may.
native_offers() {
  try_as_root true || return 1
  local module
  for module in ip_vs dummy; do
    [[ -d /sys/module/$module ]] || try_as_root modprobe --quiet "$module" 2>/dev/null || true
  done
  try_as_root unshare --net sh -c '[ -e /proc/net/ip_vs ] && ip link add kernel-probe type dummy' 2>/dev/null
}

# Without asking for a password.
try_as_root() {
  if ((EUID == 0)); then "$@"; else sudo -n "$@" 2>/dev/null; fi
}

# run_native TERMINAL CMD…: in fresh network and mount namespaces, so that named namespaces are its own as well.
run_native() {
  [[ $1 == yes ]] || exec </dev/null
  shift
  local script='ip link set lo up; mount -t sysfs sys /sys; mkdir -p /run/netns; mount -t tmpfs netns /run/netns; exec "$@"'
  if ((EUID == 0)); then
    exec unshare --net --mount sh -c "$script" sh "$@"
  else
    exec sudo --preserve-env unshare --net --mount sh -c "$script" sh "$@"
  fi
}
