#!/bin/sh
# build.sh [NAME]: builds Ferry's image (localhost/ferry:VERSION unless named) with nothing but Debian's
# packages and npm: as root, with buildah, runc and mmdebstrap, and no registry of images. The recipe is the
# Containerfile beside this; only its base image and the stage in which Ferry is built come from here.
#
#   FERRY_IMAGE_BASE   an image to build on instead of one made with mmdebstrap
#   FERRY_IMAGE_ROOT   a folder of its own for images and temporary files; else the machine's, and $TMPDIR
set -eu
cd "$(dirname "$0")/../.."
version=$(node -p 'require("./package.json").version')
name=${1:-localhost/ferry:$version}
suite=trixie
base=${FERRY_IMAGE_BASE:-localhost/ferry-base:$suite}

stop() {
  printf '%s\n' "$*" >&2
  exit 1
}
[ "$(id -u)" = 0 ] || stop "Building the image takes root: it unpacks a Debian."
for program in buildah runc; do
  command -v $program >/dev/null || stop "$program is missing: apt-get install buildah runc mmdebstrap"
done

tmp=$(mktemp -d "${FERRY_IMAGE_ROOT:-${TMPDIR:-/tmp}}/ferry-image-XXXXXX")
app=
trap 'kill $app 2>/dev/null || :; rm -rf "$tmp"' EXIT
storage=
[ -z "${FERRY_IMAGE_ROOT:-}" ] || storage="--root $FERRY_IMAGE_ROOT/storage --runroot $FERRY_IMAGE_ROOT/run"
# No manager of containers has to run, and no limit is raised that root may not raise everywhere.
cat >"$tmp/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
export CONTAINERS_CONF="$tmp/containers.conf" TMPDIR="$tmp"
# shellcheck disable=SC2086 # options
buildah() { command buildah $storage "$@"; }

# Meanwhile: it waits for the network, and what follows for the processor.
npm run --silent build
sh deploy/image/app.sh "$tmp/app/out" >/dev/null &
app=$!

if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
  [ -z "${FERRY_IMAGE_BASE:-}" ] || stop "there is no image $base"
  command -v mmdebstrap >/dev/null || stop "mmdebstrap is missing: apt-get install mmdebstrap"
  mmdebstrap --quiet --variant=minbase --dpkgopt=force-unsafe-io "$suite" "$tmp/base.tar"
  container=$(buildah from scratch)
  buildah add --quiet "$container" "$tmp/base.tar" / >/dev/null
  buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
  buildah commit --quiet --rm "$container" "$base" >/dev/null
  rm "$tmp/base.tar"
fi

wait "$app" || stop "Ferry could not be put together: see above"
app=
buildah bud --isolation chroot --network host --layers=false --format oci \
  --build-arg BASE="$base" --build-context app="$tmp/app" \
  --ignorefile deploy/image/Containerfile.dockerignore --tag "$name" --file deploy/image/Containerfile .
printf '%s\n' "$name"
