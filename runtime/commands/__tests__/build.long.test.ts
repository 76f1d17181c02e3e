// A built app is run where its sources are gone, by plain node, from an infra config in Encore's format.
import { type ChildProcess, spawn } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { removeFolders, stateWithDatabase } from "../../infra/__tests__/support";
import { type EmbeddedPostgres, startEmbedded } from "../../infra/embedded-process";
import { Scratch } from "../../parse/__tests__/case-app";
import { buildApp } from "../build";
import { hostPackagesFor } from "../dependencies";
import { hostPackageRoot } from "../../host-files";
import { packageOf } from "../workspace-packages";

const app = {
  "shop/api.ts": `import { api, Header } from "encore.dev/api";
import { appMeta } from "encore.dev";
import { secret } from "encore.dev/config";
import { SQLDatabase } from "encore.dev/storage/sqldb";
const db = new SQLDatabase("app", { migrations: "./migrations" });
const key = secret("ShopKey");
export const unset = secret("NeverSet");
interface Info { item: string; key: string; meta: any; via?: Header<"X-Via"> }
export const info = api({ expose: true, method: "GET", path: "/info" }, async (): Promise<Info> => {
  const row = await db.queryRow<{ name: string }>\`SELECT name FROM item\`;
  return { item: row?.name ?? "", key: key(), meta: appMeta() };
});
export const assets = api.static({ expose: true, path: "/assets/*path", dir: "./public" });
`,
  "shop/migrations/1_create_item.up.sql": "CREATE TABLE item (name text); INSERT INTO item VALUES ('lamp');\n",
  "shop/public/hello.txt": "hello",
  "notes/read-me.txt": "included",
  "package.json": `{ "name": "shop", "version": "1.2.3", "type": "module", "dependencies": { "encore.dev": "^1.58.0", "mine": "git+ssh://example.org/mine.git" }, "groundwork": { "include": ["notes/read-me.txt"] } }`,
};

let base: string;
let folder: string;
let postgres: EmbeddedPostgres;
const children: ChildProcess[] = [];

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "groundwork-build-"));
  const scratch = new Scratch();
  const root = scratch.fromFiles(app);
  // Some tools lay out files as links; what is built must not lead back to them.
  const migration = join(root, "shop/migrations/1_create_item.up.sql");
  renameSync(migration, join(root, "linked.sql"));
  symlinkSync(join(root, "linked.sql"), migration);
  folder = await buildApp(root, join(base, "built"));
  scratch.dispose();
  symlinkSync(join(hostPackageRoot, "node_modules"), join(folder, "node_modules"));
  postgres = await startEmbedded({
    dataDir: join(await stateWithDatabase(), "postgres"),
    databases: ["app"],
    tcp: true,
  });
});

afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await postgres.stop();
  rmSync(base, { recursive: true, force: true });
  removeFolders();
});

interface Run {
  child: ChildProcess;
  output(): string;
  ended: Promise<number | null>;
}

function run(env: Record<string, string>): Run {
  const clean = { PATH: process.env.PATH ?? "", HOST: "127.0.0.1", ...env };
  const child = spawn(process.execPath, [join(folder, "host/start.js"), "--port", "0"], {
    cwd: base,
    env: clean,
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (text += data.toString()));
  return { child, output: () => text, ended: new Promise((resolve) => child.once("exit", (code) => resolve(code))) };
}

async function addressOf({ child, output, ended }: Run): Promise<string> {
  const found = (): string | undefined => /serving (http:\S+)/.exec(output())?.[1];
  while (found() === undefined) {
    const over = await Promise.race([
      new Promise<false>((resolve) => child.stdout?.once("data", () => resolve(false))),
      ended.then(() => true),
    ]);
    if (over) throw new Error(`the app did not start:\n${output()}`);
  }
  return found() ?? "";
}

function infraConfig(extra: object): string {
  const url = new URL(postgres.ownerUrl("app"));
  const databases = { app: { username: url.username, password: { $env: "DB_PASSWORD" } } };
  const file = join(base, "infra.json");
  writeFileSync(
    file,
    JSON.stringify({ sql_servers: [{ host: url.host, tls_config: { disabled: true }, databases }], ...extra }),
  );
  return file;
}

test("the folder holds all that the app reads while it runs, and names the packages it needs", () => {
  const files = [
    "main.mjs",
    "host/model.json",
    "host/start.js",
    "shop/migrations/1_create_item.up.sql",
    "shop/public/hello.txt",
    "notes/read-me.txt",
    "Dockerfile",
    ".dockerignore",
  ];
  expect(files.filter((file) => !existsSync(join(folder, file)))).toEqual([]);
  expect(readdirSync(join(folder, "shop")).sort()).toEqual(["migrations", "public"]);
  const { name, version, dependencies } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    name: string;
    version: string;
    dependencies: Record<string, string>;
  };
  expect({ name, version }).toEqual({ name: "shop", version: "1.2.3" });
  expect(dependencies).toMatchObject({ "encore.dev": "1.58.6", mine: "git+ssh://example.org/mine.git" });
  expect(Object.keys(dependencies)).toEqual(expect.arrayContaining(["pg", "ws", "bullmq"]));
  expect(
    Object.keys(dependencies).filter(
      (one) => ["typescript", "esbuild", "vitest"].includes(one) || one.startsWith("@aws-sdk/"),
    ),
  ).toEqual([]);
  const template = JSON.parse(readFileSync(join(folder, "infra.config.json"), "utf8")) as object;
  expect(template).toMatchObject({
    secrets: { ShopKey: { $env: "ShopKey" } },
    hosted_services: ["shop"],
    hosted_gateways: ["api-gateway"],
  });
});

test("it has the packages of S3 when it has a bucket", () => {
  const imported = ["@aws-sdk/client-s3", "pg"];
  expect(hostPackagesFor({ buckets: [] }, imported)).toEqual(["pg"]);
  expect(hostPackagesFor({ buckets: [{ name: "files", versioned: false, public: false }] }, imported)).toEqual(
    imported,
  );
});

test("it serves from an infra config: database, secrets, metadata, origins; and ends on SIGTERM", async () => {
  const config = infraConfig({
    metadata: { app_id: "shop", env_name: "eu", env_type: "production", cloud: "aws", base_url: "https://api.shop" },
    secrets: { ShopKey: { $env: "KEY" } },
    cors: { allow_origins_without_credentials: ["https://only.example"] },
    graceful_shutdown: { total: 3 },
    worker_threads: 2,
    hosted_services: ["shop"],
    hosted_gateways: ["api-gateway"],
  });
  const started = run({
    ENCORE_INFRA_CONFIG_PATH: config,
    DB_PASSWORD: new URL(postgres.ownerUrl("app")).password,
    KEY: "s3cret",
  });
  const address = await addressOf(started);
  const answer = await fetch(`${address}/info`, { headers: { origin: "https://only.example" } });
  expect(answer.headers.get("access-control-allow-origin")).toBe("https://only.example");
  expect(await answer.json()).toMatchObject({
    item: "lamp",
    key: "s3cret",
    meta: {
      appId: "shop",
      apiBaseUrl: "https://api.shop",
      environment: { name: "eu", type: "production", cloud: "aws" },
    },
  });
  expect(await (await fetch(`${address}/assets/hello.txt`)).text()).toBe("hello");
  expect(started.output()).toMatch(/secrets that are not set: NeverSet/);
  started.child.kill("SIGTERM");
  expect(await started.ended).toBe(0);
});

test("without a word about its database it does not start, and neither does it with one it cannot have", async () => {
  rmSync(join(folder, "infra.config.json"));
  const silent = run({});
  expect(await silent.ended).toBe(1);
  expect(silent.output()).toMatch(/nothing says where.*infra\.config\.json/);
  const wrong = run({
    ENCORE_INFRA_CONFIG_PATH: infraConfig({ object_storage: [{ type: "gcs", buckets: { files: { name: "f" } } }] }),
  });
  expect(await wrong.ended).toBe(1);
  expect(wrong.output()).toMatch(/object_storage of type gcs is not supported yet/);
  const misspelt = run({
    ENCORE_INFRA_CONFIG_PATH: infraConfig({ hosted_services: ["shopp"] }),
    DB_PASSWORD: new URL(postgres.ownerUrl("app")).password,
  });
  expect(await misspelt.ended).toBe(1);
  expect(misspelt.output()).toMatch(/names shopp: the app's services are shop/);
});

test("it is not built over somebody's files", async () => {
  const scratch = new Scratch();
  await expect(buildApp(scratch.fromFiles(app), base)).rejects.toThrow(/not empty and no earlier build/);
  scratch.dispose();
});

test("a package is told from a file and from node's own modules", () => {
  expect(["pg", "@a/b/c", "ws/lib/x.js", "node:fs", "fs", "fs/promises", "./x", "/x"].map(packageOf)).toEqual([
    "pg",
    "@a/b",
    "ws",
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});
