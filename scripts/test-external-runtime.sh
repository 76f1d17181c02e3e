#!/bin/sh
# The app's own suites as `encore test` runs them: a runtime that was there before vitest (our plugin steps aside), one
# database for all files, one file after the other. What passes here uses nothing that only our vitest plugin gives.
set -eu
cd "$(dirname "$0")/.."
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
GROUNDWORK_STATE_DIR=$state node dist/cli.js exec -- npx vitest run --no-file-parallelism \
  --exclude 'runtime/**' --exclude 'scripts/**' --exclude 'bench/**' --exclude '**/*.pg.test.ts' --exclude '**/*.web.test.ts' "$@"
