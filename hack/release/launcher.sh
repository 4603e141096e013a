#!/bin/sh
# bin/kube-proxy of the tarball: starts the program beside it. Node is the tarball's own if it has one, or KUBE_PROXY_NODE, or the one in PATH.
set -eu
lib=$(cd "$(dirname "$(readlink -f "$0")")/../lib/kube-proxy" && pwd -P)
node=${KUBE_PROXY_NODE:-node}
if [ -x "$lib/node" ]; then node=$lib/node; fi
if ! command -v "$node" >/dev/null; then
  echo 'kube-proxy: no Node here: install Node 24 or newer, or set KUBE_PROXY_NODE to its path' >&2
  exit 1
fi
exec "$node" "$lib/kube-proxy.js" "$@"
