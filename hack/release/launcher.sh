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
# As in the image: what glibc and V8 keep for a few large syncs is not needed afterwards.
export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-1}"
exec "$node" --max-semi-space-size=4 "$lib/kube-proxy.js" "$@"
