// Hostile requests over every endpoint there is (hostile-requests.ts) and secrets of every kind, each planted by the way that it
// really comes in. Repeat a failure with GROUNDWORK_FUZZ_SEED; the whole:
//   GROUNDWORK_FUZZ_REQUESTS=100000 GROUNDWORK_FUZZ_PLANTED=25 npm run test:pg -- runtime/__tests__/whole-app/fuzz.pg.test.ts
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect } from "vitest";
import { hostileRequests } from "./hostile-requests";
import { commandsBeside } from "./support/commands-beside";
import { startMailSink, type MailSink } from "./support/fuzz/mail-sink";
import { startOutside, type Outside } from "./support/fuzz/outside";
import { plantInEnvironment, type Planted } from "./support/fuzz/planted";
import { INSTALL_LIMIT_MS } from "../../objects/__tests__/support/s3-server";
import { startCollector, type Collector } from "./support/otlp-collector";
import { makeOwnServers, type OwnServers } from "./support/own-servers";
import { type RunningApp, startApp, temporaryStateDir, until } from "./support/running-app";

const state = temporaryStateDir();
const planted: Planted = new Map();
let collector: Collector;
let mails: MailSink;
let outside: Outside;
let app: RunningApp;
let servers: OwnServers;

beforeAll(async () => {
  collector = await startCollector();
  servers = await makeOwnServers("fuzz");
  mails = await startMailSink(planted);
  outside = await startOutside(planted, servers, state.path);
  // The limits are tested elsewhere; here they would answer 429 to everything after the first hundred. A busy
  // machine is no bad input: statements may take their time.
  app = await startApp(state.path, {
    LIMIT_SCALE: "1000000",
    LOG_LEVEL: "trace",
    DB_STATEMENT_TIMEOUT_MS: "60000",
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_METRIC_EXPORT_INTERVAL: "1000",
    ...mails.env,
    ...plantInEnvironment(planted),
    ...outside.env,
  });
}, INSTALL_LIMIT_MS);

afterAll(async () => {
  await app?.stop();
  await collector?.close();
  await mails?.close();
  await outside?.close();
  await servers?.drop();
  state.remove();
});

/** Everything that the database holds, as text; bytes as they are and as hexadecimal digits. */
async function allRows(): Promise<string> {
  const sql = async (statements: string): Promise<string> => {
    const args = [join(__dirname, "../../../dist/cli.js"), "sql", "--json", "-c", statements];
    const env = { ...process.env, GROUNDWORK_STATE_DIR: state.path, ...outside.env };
    return (await promisify(execFile)(process.execPath, args, { env, maxBuffer: 1 << 29 })).stdout;
  };
  const listed = await sql(
    "select quote_ident(schemaname) || '.' || quote_ident(tablename) as t from pg_tables where schemaname not in ('pg_catalog', 'information_schema')",
  );
  const tables = [...listed.matchAll(/"t":\s*"([^"]+)"/g)].map(([, name]) => name!);
  expect(tables).toEqual(expect.arrayContaining(["auth.account", "secrets.secret", "events.outbox"]));
  return sql(tables.map((name) => `select t::text as rows from ${name} t`).join(";\n"));
}

hostileRequests({
  app: () => app,
  planted,
  mails: () => mails,
  admin: (...words) => commandsBeside(state.path, outside.env).admin(...words),
  outside: () => outside,
  // Each operation is asked many times.
  requests: Number(process.env.GROUNDWORK_FUZZ_REQUESTS ?? 2_500),
  people: Number(process.env.GROUNDWORK_FUZZ_PLANTED ?? 2),
  seed: Number(process.env.GROUNDWORK_FUZZ_SEED ?? 20_260_803),
  places: async () => {
    await until(
      "spans and metrics were sent",
      () => collector.spans.length > 100 && collector.bodies.some((body) => body.includes("db_query_duration")),
    );
    const kept = await servers.redisContents();
    expect(kept).toContain("vectors");
    return { tables: await allRows(), redis: kept, telemetry: Buffer.concat(collector.bodies).toString("latin1") };
  },
});
