#!/usr/bin/env bash
# The whole of it on one machine, in about a minute: a node with pods, an API server, the proxy, and a shop that is used and changed.
#
#   hack/demo.sh            shows it; status 0 if everything was as it should be
#   hack/demo.sh --keep     leaves a shell on the node afterwards, with kubectl; all ends with it
#
# Installs what it needs (Debian packages, npm ci, kubectl) and says so. Everything happens in network namespaces, in a
# throw-away virtual machine where this kernel has no IPVS. hack/demo/README.md says what is where.
#
#   KUBECTL     another kubectl than the one that is fetched
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=hack/install.sh
. "$here/install.sh"

keep=()
for word in "$@"; do
  case $word in
    --keep) keep=(--keep) ;;
    *) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" && [[ $word == --help || $word == -h ]] && exit || exit 2 ;;
  esac
done
cd "$checkout"

tools=("${kernel_tools[@]}")
terminal=()
if ((${#keep[@]})); then
  [[ -t 0 && -t 1 ]] || fail '--keep needs a terminal'
  tools+=(curl)
  terminal=(--tty)
fi
[[ ! -t 1 || -n ${NO_COLOR:-} ]] || export DEMO_COLOUR=yes

ensure_packages "${tools[@]}"
ensure_node_modules
KUBECTL=${KUBECTL:-$("$here/kubectl.sh")}
"$here/run" node hack/demo/build.ts .cache/demo
[[ $("$here/with-kernel.sh" --which) != vm ]] ||
  say 'this kernel has no IPVS: a virtual machine with one starts, in ten seconds or so'
# The demo has a deadline of its own; this is for a machine that hangs. A shell may stay for a day.
export KERNEL_VM_TIMEOUT=${KERNEL_VM_TIMEOUT:-$((${#keep[@]} ? 86400 : 360))}
exec "$here/with-kernel.sh" "${terminal[@]}" "$here/run" node --enable-source-maps .cache/demo/demo.js \
  --kubectl "$KUBECTL" --proxy .cache/demo/kube-proxy.js "${keep[@]}"
