#!/bin/sh
# app.sh OUT: what Ferry itself is made of when it runs: built code without tests, and the npm packages that the
# lock file names for it, without those that only development needs. Run in the repository, after a build.
set -eu
cd "$(dirname "$0")/../.."
out=$1
programs="services/source-agent services/destination-agent services/ferry"

mkdir -p "$out"
cp package.json package-lock.json "$out/"
for manifest in packages/*/package.json services/*/package.json test/package.json; do
  mkdir -p "$out/${manifest%/*}"
  cp "$manifest" "$out/$manifest"
done
workspaces=
for program in $programs; do workspaces="$workspaces --workspace $program"; done
# shellcheck disable=SC2086 # a list of words
(cd "$out" && npm ci --omit=dev --ignore-scripts --no-audit --no-fund --prefer-offline --loglevel=error $workspaces)
rm -rf "$out/test" "$out/node_modules/@ferry/test" "$out/node_modules/.package-lock.json" "$out/package-lock.json"

for dist in packages/*/dist services/*/dist; do
  cp -R "$dist" "$out/${dist%/*}/"
done
cp -R packages/qemu/keeper "$out/packages/qemu/"
cp -R proto "$out/"
# What only draws deploy/prometheus and deploy/grafana.
rm -rf "$out/packages/monitoring" "$out/node_modules/@ferry/monitoring"
# Tests, and by its name what only they use (scripts/tidy.mjs sees to the names).
find "$out/packages" "$out/services" -type f \( -name '*.test.*' -o -name 'test-*' -o -name 'fake-*' -o -path '*/fixture*' -o -name '*-for-tests.*' \
  -o -name 'bench.*' -o -name '*.d.ts' -o -name '*.d.cts' -o -name '*.map' \) -delete
find "$out/node_modules" -type f \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' -o -iname '*.md' -o -name '*.ts' -o -name '*.test.*' \) -delete
find "$out" -type d -empty -delete
