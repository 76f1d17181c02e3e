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
    sql_servers: [{ host: "db.internal:5433", tls_config: { disabled: true }, databases: { app: { name: "prod", username: "u", password: { $env: "PW" }, max_connections: 7 }, other: { username: "u", password: "p" } } }],
    redis: { main: { host: "cache:6379", database_index: 2, auth: { type: "auth_string", auth_string: { $env: "PW" } } } },
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

test("a broken file, a wrong key and a missing variable each say what is wrong", () => {
  expect(() => readInfraConfig(fileWith("{"), {})).toThrow(/cannot be read/);
  expect(() => readInfraConfig(fileWith({ sql_servers: [{ host: 5, databases: {} }] }), {})).toThrow(/sql_servers\.0\.host/);
  expect(() => readInfraConfig(fileWith({ secrets: { Key: { $env: "GONE" } } }), {})).toThrow(/GONE is not set/);
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
  await expect(databasesAt("postgresql://u@127.0.0.1:1/x", ["app"])).rejects.toThrow(/127\.0\.0\.1:1.*ECONNREFUSED[\s\S]*unset DATABASE_URL/);
});
