#!/bin/bash
# hack/image-bases.sh [SUITE]: makes the two bases of the image where no registry answers, with debootstrap and buildah: localhost/kube-proxy-base,
# a slim Debian, and localhost/kube-proxy-build, the same with Node of the lock file and this machine's npm. Then:
#   BUILD_IMAGE=localhost/kube-proxy-build BASE_IMAGE=localhost/kube-proxy-base hack/image.sh TAG
# DEBIAN_MIRROR names another mirror. Certificates of NODE_EXTRA_CA_CERTS go into the second base. IMAGE_ARCH (amd64, arm64) makes them for that
# processor; another one than this machine's takes an emulator that the kernel knows (binfmt). It needs root.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
suite=${1:-bookworm}
own=$(dpkg --print-architecture)
arch=${IMAGE_ARCH:-$own}
# What npm calls it.
case $arch in
  amd64) cpu=x64 ;;
  arm64) cpu=arm64 ;;
  *) echo "hack/image-bases.sh: IMAGE_ARCH is amd64 or arm64, not $arch" >&2 && exit 1 ;;
esac
for tool in buildah debootstrap npm node_modules/.bin/node; do
  command -v "$tool" >/dev/null || { echo "hack/image-bases.sh: there is no $tool" >&2 && exit 1; }
done
npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
[[ -d $npm/node_modules ]] || { echo "hack/image-bases.sh: npm in $npm does not bring its own packages" >&2 && exit 1; }
root=$(mktemp -d)
packages=$(mktemp -d)
container=
finish() {
  [[ -z $container ]] || buildah rm "$container" >/dev/null
  rm -rf "$root" "$packages"
}
trap finish EXIT

node=$(readlink -f node_modules/.bin/node)
if [[ $arch != "$own" ]]; then
  # Node of the lock file for the other processor.
  cp --parents package.json package-lock.json .npmrc test/apiserver/package.json "$packages"
  npm ci --prefix "$packages" --omit=dev --os=linux --cpu="$cpu" >&2
  node=$packages/node_modules/node-linux-$cpu/bin/node
fi

debootstrap --arch="$arch" --variant=minbase "$suite" "$root" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
# What Debian's slim images leave out, now and in whatever is installed later. Copyright files stay.
cat >"$root/etc/dpkg/dpkg.cfg.d/slim" <<'END'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
END
echo 'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin"; };' >"$root/etc/apt/apt.conf.d/slim"
find "$root/usr/share/doc" ! -type d ! -name copyright -delete
rm -rf "$root"/usr/share/{info,locale,man}/* "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb "$root"/var/log/*.log "$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old

container=$(buildah from --arch="$arch" scratch)
buildah add --quiet "$container" "$root" /
buildah config --arch="$arch" --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd bash "$container"
buildah commit --quiet "$container" localhost/kube-proxy-base

modules=/usr/local/lib/node_modules
buildah copy --quiet "$container" "$node" /usr/local/bin/node
buildah copy --quiet "$container" "$npm" "$modules/npm"
buildah run --isolation "${BUILDAH_ISOLATION:-chroot}" "$container" ln -s "$modules/npm/bin/npm-cli.js" /usr/local/bin/npm
if [[ -n ${NODE_EXTRA_CA_CERTS:-} ]]; then
  buildah copy --quiet "$container" "$NODE_EXTRA_CA_CERTS" /etc/ssl/extra.pem
  buildah config --env NODE_EXTRA_CA_CERTS=/etc/ssl/extra.pem "$container"
fi
# libatomic1 is what Node needs beyond the least Debian.
buildah run --isolation "${BUILDAH_ISOLATION:-chroot}" "$container" sh -c 'apt-get update && apt-get install --yes --no-install-recommends libatomic1'
buildah commit --quiet "$container" localhost/kube-proxy-build
