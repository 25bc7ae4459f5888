#!/bin/sh
# npm test: makes this clone ready (QEMU and tools too), then runs everything.
#   npm test -- GROUP...    only these: unit, model, e2e (scripts/run-tests.mjs)
set -eu
cd "$(dirname "$0")/.."
. scripts/setup.sh
need_host_programs
need openssl openssl
need promtool prometheus
need haproxy haproxy
need_container_programs
# The controller in Python is somebody else's client library, so it is tested with Debian's own Python.
[ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import grpc, grpc_tools' 2>/dev/null ||
  ferry_missing="$ferry_missing python3-grpcio python3-grpc-tools"
install_missing
install_packages
build
exec node scripts/run-tests.mjs "$@"
