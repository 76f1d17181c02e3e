import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readInfraConfig } from "..";
import { databasesAt } from "../database-url";
import { startEmbedded } from "../embedded-process";
import { settleTls } from "../infra-config";
import { removeFolders, temporaryFolder } from "./support";

afterAll(removeFolders);

function fileWith(config: unknown): string {
  const file = join(temporaryFolder(), "infra.config.json");
  writeFileSync(file, typeof config === "string" ? config : JSON.stringify(config));
  return file;
}

test("databases, redis and secrets of Encore's file become addresses, with variables filled in", () => {
  const file = fileWith({
    sql_servers: [
      {
        host: "db.internal:5433",
        tls_config: { disabled: true },
        databases: {
          app: { name: "prod", username: "u", password: { $env: "PW" }, max_connections: 7 },
          other: { username: "u", password: "p" },
        },
      },
    ],
    redis: {
      main: { host: "cache:6379", database_index: 2, auth: { type: "auth_string", auth_string: { $env: "PW" } } },
    },
    secrets: { Key: { $env: "PW" }, Plain: "text" },
    hosted_services: ["a"],
    something_unknown: true,
  });
  const config = readInfraConfig(file, { PW: "s:cret" });
  expect(config.databases).toEqual({
    app: { url: "postgresql://u:s%3Acret@db.internal:5433/prod?sslmode=disable", maxConnections: 7, minConnections: 0 },
    other: { url: "postgresql://u:p@db.internal:5433/other?sslmode=disable", maxConnections: 100, minConnections: 0 },
  });
  expect(config.redisUrl).toBe("redis://:s%3Acret@cache:6379/2");
  expect(config.secrets).toEqual({ Key: "s:cret", Plain: "text" });
  expect(config.hostedServices).toEqual(["a"]);
});

test("what surrounds the app is read as well: environment, shutdown, threads, log level, origins", () => {
  const config = readInfraConfig(
    fileWith({
      metadata: { app_id: "shop", env_name: "eu", env_type: "production", cloud: "aws", base_url: "https://api.shop" },
      graceful_shutdown: { total: 7 },
      worker_threads: 2,
      log_config: "warn",
      cors: { allow_origins_with_credentials: ["https://shop"], allow_headers: ["X-Own"] },
      redis: { main: { in_memory: true } },
      secrets: { Set: { $env: "PW" }, Unset: { $env: "GONE" } },
    }),
    { PW: "p" },
  );
  expect(config).toMatchObject({
    gracefulShutdownMs: 7000,
    workerThreads: 2,
    logLevel: "warn",
    metadata: { app_id: "shop", cloud: "aws" },
  });
  expect(config.cors).toEqual({ allowOriginsWithCredentials: ["https://shop"], allowHeaders: ["X-Own"] });
  expect(config.redisUrl).toBeUndefined();
  expect(config.secrets).toEqual({ Set: "p" });
});

test("all secrets may come in one variable, whose text no error repeats", () => {
  const file = fileWith({ secrets: { $env: "ALL" } });
  expect(readInfraConfig(file, { ALL: `{"Key":"k"}` }).secrets).toEqual({ Key: "k" });
  expect(readInfraConfig(file, {}).secrets).toEqual({});
  for (const text of ["hunter2", `{"Key":7,"Other":"hunter2"}`]) {
    expect(() => readInfraConfig(file, { ALL: text })).toThrow(/ALL must be a JSON object/);
    expect(() => readInfraConfig(file, { ALL: text })).not.toThrow(/hunter2/);
  }
});

test("a part that this host cannot obey is refused by its name", () => {
  for (const [key, value] of Object.entries({ pubsub: [{ type: "nsq" }] })) {
    expect(() => readInfraConfig(fileWith({ [key]: value }), {})).toThrow(new RegExp(`${key} is not supported yet`));
  }
  expect(readInfraConfig(fileWith({ pubsub: [], object_storage: [] }), {}).databases).toEqual({});
});

test("metrics go by Prometheus remote write (12.3); the other kinds are refused with what to do instead", () => {
  const metrics = { type: "prometheus", remote_write_url: { $env: "PROM" }, collection_interval: 15 };
  expect(readInfraConfig(fileWith({ metrics }), { PROM: "https://prom/api/v1/write" }).metricsExport).toEqual({
    type: "prometheus",
    remoteWriteUrl: "https://prom/api/v1/write",
    intervalMs: 15_000,
  });
  expect(
    readInfraConfig(fileWith({ metrics: { ...metrics, collection_interval: 0 } }), { PROM: "http://prom" })
      .metricsExport?.intervalMs,
  ).toBe(60_000);
  expect(readInfraConfig(fileWith({}), {}).metricsExport).toBeUndefined();
  expect(() => readInfraConfig(fileWith({ metrics }), {})).toThrow(/PROM is not set/);
  expect(() => readInfraConfig(fileWith({ metrics }), { PROM: "prom:9090" })).toThrow(
    /remote_write_url is no http or https address/,
  );
  for (const type of ["datadog", "gcp_cloud_monitoring", "aws_cloudwatch"]) {
    expect(() => readInfraConfig(fileWith({ metrics: { type } }), {})).toThrow(
      new RegExp(`metrics of type ${type} is not supported yet\\n.*remote_write_url`),
    );
  }
});

test("a broken file, a wrong key and a missing variable each say what is wrong", () => {
  expect(() => readInfraConfig(fileWith("{"), {})).toThrow(/cannot be read/);
  expect(() => readInfraConfig(fileWith({ sql_servers: [{ host: 5, databases: {} }] }), {})).toThrow(
    /sql_servers\.0\.host/,
  );
  expect(() =>
    readInfraConfig(
      fileWith({ sql_servers: [{ host: { $env: "GONE" }, databases: { app: { username: "u", password: "p" } } }] }),
      {},
    ),
  ).toThrow(/GONE is not set/);
});

test("where nothing is said of TLS, a server without it is used without it", async () => {
  const postgres = await startEmbedded({ dataDir: temporaryFolder(), databases: [], tcp: true });
  const url = postgres.url("app").replace("sslmode=disable", "sslmode=prefer");
  expect((await settleTls({ app: { url } })).app?.url).toBe(postgres.url("app"));
  await postgres.stop();
});

test("an address that is none, or where nobody listens, is an error with a remedy", async () => {
  await expect(databasesAt("mysql://x/y", ["app"])).rejects.toThrow(/not a Postgres connection string/);
  await expect(databasesAt("postgresql://u@127.0.0.1:1", ["app"])).rejects.toThrow(/names no database/);
  await expect(databasesAt("postgresql://u@127.0.0.1:1/x", ["app"])).rejects.toThrow(
    /127\.0\.0\.1:1.*ECONNREFUSED[\s\S]*unset DATABASE_URL/,
  );
});

test("services of other processes come with the key that calls to them are signed with", () => {
  const auth = [
    { type: "key", id: 2, key: { $env: "NEW" } },
    { type: "key", id: 1, key: "old" },
  ];
  const discovery = {
    stock: { base_url: "http://stock:8080" },
    mail: { base_url: "https://mail.internal/in", auth: [{ type: "key", id: 7, key: "own" }] },
  };
  const config = readInfraConfig(fileWith({ auth, service_discovery: discovery }), { NEW: "new" });
  expect(config.serviceKeys).toEqual([
    { id: 2, key: "new" },
    { id: 1, key: "old" },
  ]);
  expect(config.peers).toEqual({
    stock: { baseUrl: "http://stock:8080", key: { id: 2, key: "new" } },
    mail: { baseUrl: "https://mail.internal/in", key: { id: 7, key: "own" } },
  });
});

test("a service that calls could not be signed for, and keys that are none, are refused", () => {
  const stock = { service_discovery: { stock: { base_url: "http://stock:8080" } } };
  expect(() => readInfraConfig(fileWith(stock), {})).toThrow(/service_discovery\.stock needs a key/);
  expect(() => readInfraConfig(fileWith({ auth: [{ type: "key", id: 1, key: { $env: "GONE" } }] }), {})).toThrow(
    /GONE is not set/,
  );
  expect(() =>
    readInfraConfig(fileWith({ auth: [{ type: "key", id: 1, key: { $env: "EMPTY" } }] }), { EMPTY: "" }),
  ).toThrow(/key 1 of auth is empty/);
  expect(() => readInfraConfig(fileWith({ auth: [{ type: "oauth", id: 1, key: "k" }] }), {})).toThrow(
    /auth\.0\.type: must be "key"/,
  );
  expect(() =>
    readInfraConfig(fileWith({ ...stock, service_discovery: { stock: { base_url: "stock:8080" } } }), {}),
  ).toThrow(/must be an http or https address/);
});
