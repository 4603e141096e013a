#!/usr/bin/env bash
# Runs a command as root where the kernel has IPVS.
#
#   hack/with-kernel.sh [--vm] [--tty] [--] CMD…    --tty: with the terminal attached
#   hack/with-kernel.sh --shell                     an interactive shell there
#   hack/with-kernel.sh --which                     prints native, vm or none
#
# If the running kernel offers ip_vs and dummy: natively, in fresh network and mount namespaces. Otherwise, or with --vm:
# in a throw-away virtual machine with the distribution's own kernel, that sees this machine's files and can change none
# of them. Same folder, same words, same exit status. The command sees the variables that hack/kernel/machine.sh lists
# (CI, NODE_OPTIONS, KUBEBUILDER_ASSETS, BENCH_*, IPVS_*, KERNEL_*, TEST_*, VITEST_* …), and KERNEL_WHERE: native or vm.
#
# What is to come out is written to the folder KERNEL_SHARE: same path inside and outside.
#
#   KERNEL_SHARE        .cache/kernel/share     KERNEL_VM_TIMEOUT   1800    seconds, then status 124
#   KERNEL_VM_MEMORY    3G                      KERNEL_VM_ACCEL     tcg     kvm: hardware, where it works
#   KERNEL_VM_CPUS      2                       KERNEL_VM_PACKAGE   another kernel package than the distribution's first
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=hack/install.sh
. "$here/install.sh"
# shellcheck source=hack/kernel/native.sh
. "$here/kernel/native.sh"
# shellcheck source=hack/kernel/image.sh
. "$here/kernel/image.sh"
# shellcheck source=hack/kernel/machine.sh
. "$here/kernel/machine.sh"

usage() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
  exit "$1"
}

where() {
  if [[ $force != vm ]] && native_offers; then
    echo native
  elif [[ $(uname -m) == x86_64 ]]; then
    echo vm
  else
    echo none
  fi
}

force='' terminal=no which=no
while (($#)); do
  case $1 in
    --vm) force=vm ;;
    --tty) terminal=yes ;;
    --shell) terminal=yes && set -- "$1" bash ;;
    --which) which=yes ;;
    --help | -h) usage 0 ;;
    --) shift && break ;;
    -*) usage 2 >&2 ;;
    *) break ;;
  esac
  shift
done
where=$(where)
if [[ $which == yes ]]; then
  echo "$where"
  exit
fi
(($#)) || usage 2 >&2
[[ $terminal == no || -t 0 ]] || fail 'there is no terminal here for --tty'

export KERNEL_WHERE=$where KERNEL_SHARE=${KERNEL_SHARE:-$cache/kernel/share}
mkdir -p "$KERNEL_SHARE"
KERNEL_SHARE=$(cd "$KERNEL_SHARE" && pwd -P)
case $where in
  native)
    ensure_packages "${kernel_tools[@]}"
    run_native "$terminal" "$@"
    ;;
  vm)
    ensure_packages "${kernel_tools[@]}" busybox-static cpio qemu-system-x86 xz-utils zstd
    run_machine "$terminal" "$@"
    ;;
  none)
    say "this kernel has no IPVS, and the virtual machine is for x86-64 only: here only the gate and native tests run"
    exit 69
    ;;
esac
