#!/usr/bin/env bash
# The app's own suites as `encore test` runs them: a runtime that was there before vitest (our plugin steps aside), one
# database for all files, one file after the other, and a login like Encore's: neither superuser nor owner of the tables,
# no other role to become. What passes here uses nothing that only our vitest plugin or our own login gives.
# Which files: vitest.external.config.ts.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${GROUNDWORK_TEST_POSTGRES_URL:-}" ]; then
  # Servers that ran before are somebody's; those started here end with the suite.
  bash scripts/native-postgres.sh env >/dev/null 2>&1 || stop_servers=1
  variables=$(GROUNDWORK_NATIVE_FSYNC=off bash scripts/native-postgres.sh start)
  eval "$variables"
fi
server=$GROUNDWORK_TEST_POSTGRES_URL
state=$(mktemp -d)
eval "$(node scripts/run-ts.mjs db/__tests__/restricted-login.ts make "$server")"
clean_up() {
  node scripts/run-ts.mjs db/__tests__/restricted-login.ts drop "$server" "$name" || true
  [ -z "${stop_servers:-}" ] || bash scripts/native-postgres.sh stop
  rm -rf "$state"
}
trap clean_up EXIT
unset GROUNDWORK_TEST_POSTGRES_URL GROUNDWORK_TEST_REDIS_URL

export GROUNDWORK_STATE_DIR=$state
# Some tests do what only the owner of the tables may.
export GROUNDWORK_TEST_OWNER_URL=$owner_url
DATABASE_URL=$owner_url node dist/cli.js migrate up
DATABASE_URL=$app_url node dist/cli.js exec -- npx vitest run --configLoader runner --config vitest.external.config.ts "$@"
