#!/usr/bin/env bash
# `npm run test:pg`: the same suites, and those that need a real server, on Postgres 17 with pgvector and Redis.
# With GROUNDWORK_TEST_POSTGRES_URL set it uses that server and starts none.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${GROUNDWORK_TEST_POSTGRES_URL:-}" ]; then
  # Servers that ran before are somebody's; those started here end with the suite.
  bash scripts/native-postgres.sh env >/dev/null 2>&1 || trap 'bash scripts/native-postgres.sh stop' EXIT
  variables=$(GROUNDWORK_NATIVE_FSYNC=off bash scripts/native-postgres.sh start)
  eval "$variables"
  # Suites that crash their servers start some of their own by the same script.
  export GROUNDWORK_TEST_OWN_BROKERS=1
fi
npx vitest run --configLoader runner --config vitest.pg.config.ts "$@"
