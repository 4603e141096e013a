#!/usr/bin/env bash
# Captures what a command says to the kernel over netlink, and what it is answered, as a fixture for tests.
#
#   hack/capture.sh FAMILY COMMAND…  > test/fixtures/NAME.txt
#
# FAMILY is the number of a NETLINK_* protocol (0 route, 12 netfilter, 16 generic). The command runs as root where the
# kernel has IPVS (hack/with-kernel.sh), beside an nlmon device. A line is a message: `>` to the kernel, `<` from it.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=hack/install.sh
. "$here/install.sh"

family=$1 && shift
if [[ ${CAPTURE_INSIDE:-} == '' ]]; then
  ensure_packages tcpdump >&2
  export KERNEL_SHARE=${KERNEL_SHARE:-$here/../.cache/kernel/share}
  mkdir -p "$KERNEL_SHARE"
  fixture=$(cd "$KERNEL_SHARE" && pwd -P)/fixture.txt
  "$here/with-kernel.sh" env CAPTURE_INSIDE="$fixture" "$0" "$family" "$@" >&2
  cat "$fixture"
  rm "$fixture"
  exit
fi

capture=$(mktemp)
ip link add nlmon0 type nlmon
ip link set nlmon0 up
tcpdump -i nlmon0 -w "$capture" --immediate-mode -U 2>"$capture.log" &
tcpdump=$!
until grep -q 'listening on' "$capture.log"; do sleep 0.1; done
"$@"
sleep 1 # what tcpdump has not written yet
kill "$tcpdump"
wait "$tcpdump" || true
{
  echo "# kernel $(uname -r)"
  echo "# $*"
  "$here/../node_modules/.bin/node" "$here/capture.ts" "$family" "$capture"
} >"$CAPTURE_INSIDE"
