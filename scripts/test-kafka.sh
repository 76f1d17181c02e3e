#!/usr/bin/env bash
# `npm run test:kafka`: the suites that need Kafka and Debezium (*.kafka.test.ts), on a broker and a Postgres of their own, which
# writes its log for logical decoding. Both end with the suite.
set -euo pipefail
cd "$(dirname "$0")/.."
export GROUNDWORK_NATIVE_INSTANCE=${GROUNDWORK_NATIVE_INSTANCE:-kafka}
export GROUNDWORK_NATIVE_WAL_LEVEL=logical
trap 'bash scripts/native-kafka.sh stop; bash scripts/native-postgres.sh remove' EXIT
variables=$(bash scripts/native-postgres.sh start)
eval "$variables"
variables=$(bash scripts/native-kafka.sh start)
eval "$variables"
# As an installation would: its address, and whom to believe.
export KAFKA_URL=$GROUNDWORK_TEST_KAFKA_URL NODE_EXTRA_CA_CERTS=$GROUNDWORK_TEST_KAFKA_CA
npx vitest run --configLoader runner --config vitest.kafka.config.ts "$@"
