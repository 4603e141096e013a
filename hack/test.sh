#!/usr/bin/env bash
# Every test of the project, and what it takes to run them. The last line is the count.
#
#   hack/test.sh                          the gate with the unit tests, the properties, the kernel tests, the end-to-end tests, the demo
#   hack/test.sh gate|unit|properties|kernel|e2e [words for vitest]   one of them
#   hack/test.sh demo                     the README's first command: one test
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=hack/install.sh
. "$here/install.sh"
cd "$checkout"

# Reports are written where the machine with the kernel can write, too.
reports=$cache/kernel/share/reports-$$
results=()

# run PART CMD…: runs it with a report of its own, and goes on whatever comes.
run() {
  local part=$1 status=0 report=$reports/$1.json
  shift
  say "$part"
  TEST_REPORT=$report "$@" </dev/null || status=$?
  results+=("$part=$status=$report")
}

# run_whole PART CMD…: the same without a report: all of it is one test.
run_whole() {
  local part=$1 status=0
  shift
  say "$part"
  "$@" </dev/null || status=$?
  results+=("$part=$status=")
}

vitest() {
  hack/run vitest run --config hack/vitest.config.ts --project "$@"
}

# What shows that each check of the gate can fail runs beside nothing else.
gate() {
  run gate npm run --silent verify
  run_whole prove npm run --silent gate:prove
}
unit() { run unit vitest unit "$@"; }
properties() { run properties vitest properties "$@"; }

# One machine for all of them: it takes seconds to start. On a busy machine the tests take many minutes.
kernel() {
  if [[ $(hack/with-kernel.sh --which) == none ]]; then
    say 'kernel: this kernel has no IPVS, and the virtual machine is for x86-64 only: only the gate and native tests run'
    return
  fi
  KERNEL_SHARE=$cache/kernel/share KERNEL_VM_TIMEOUT=${KERNEL_VM_TIMEOUT:-3600} run kernel \
    hack/with-kernel.sh hack/run vitest run --config hack/vitest.config.ts --project 'kernel*' "$@"
}

e2e() {
  local kubectl=${KUBECTL:-}
  if [[ -z $kubectl && $(uname -m) == x86_64 ]]; then kubectl=$(hack/kubectl.sh); fi
  KUBECTL=$kubectl run e2e vitest e2e "$@"
}

demo() {
  if [[ $(hack/with-kernel.sh --which) == none || ($(uname -m) != x86_64 && -z ${KUBECTL:-}) ]]; then
    say 'demo: it needs IPVS or x86-64, and a kubectl (KUBECTL)'
    return
  fi
  run_whole demo hack/demo.sh
}

part=${1:-all}
(($# == 0)) || shift
case $part in
  all | gate | unit | properties | kernel | e2e | demo) ;;
  *) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" && exit 2 ;;
esac

ensure_packages "${kernel_tools[@]}"
ensure_node_modules
mkdir -p "$reports"
trap 'rm -rf "$reports"' EXIT
[[ -t 1 ]] || export NO_COLOR=1

# Words for vitest come with one part only.
if [[ $part == all ]]; then parts=(gate properties kernel e2e demo); else parts=("$part"); fi
for part in "${parts[@]}"; do "$part" "$@"; done
hack/run node hack/summary.ts "${results[@]}"
