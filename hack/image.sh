#!/bin/sh
# hack/image.sh TAG [ARGUMENT…]: builds the image of the Dockerfile with buildah, in chroot isolation unless BUILDAH_ISOLATION says otherwise.
# BUILD_IMAGE and BASE_IMAGE take the place of the Dockerfile's bases; IMAGE_ARCH=arm64 builds for that processor; further arguments go
# to `buildah build`. Without buildah nothing is built, which is said, and is no failure.
set -eu
if [ $# -eq 0 ]; then echo 'usage: hack/image.sh TAG [ARGUMENT...]' >&2; exit 2; fi
tag=$1
shift
if ! command -v buildah >/dev/null; then
  echo 'hack/image.sh: skipped: there is no buildah here' >&2
  exit 0
fi
cd "$(dirname "$(readlink -f "$0")")/.."
if [ -n "${BUILD_IMAGE:-}" ]; then set -- --build-arg "BUILD_IMAGE=$BUILD_IMAGE" "$@"; fi
if [ -n "${BASE_IMAGE:-}" ]; then set -- --build-arg "BASE_IMAGE=$BASE_IMAGE" "$@"; fi
if [ -n "${IMAGE_ARCH:-}" ]; then set -- --arch "$IMAGE_ARCH" "$@"; fi
exec buildah build --isolation "${BUILDAH_ISOLATION:-chroot}" --tag "$tag" "$@" .
