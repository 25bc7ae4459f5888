#!/bin/sh
# npm run demo: makes this clone ready (QEMU too), then shows moves and cut tethers. Leaves nothing behind
# but installed packages and what a build leaves.
set -eu
cd "$(dirname "$0")/.."
. scripts/setup.sh
need_host_programs
install_missing
install_packages
build
exec node test/dist/demo/main.js "$@"
