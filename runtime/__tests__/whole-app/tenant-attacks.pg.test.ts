// Attempts on another organisation, generated from the app's own description: every operation, every place that takes an id,
// forged claims, swapped keys, headers and members that name somebody else's. Jobs and events: db/__tests__/confused-deputies.
// Then the same with a layer taken away, and with a leak that has to be seen. The whole, a million:
//   GROUNDWORK_ATTACKS=1000000 npm run test:pg -- runtime/__tests__/whole-app/tenant-attacks.pg.test.ts
// Repeat a run with GROUNDWORK_ATTACK_SEED.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { Pool } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { copyOfApp } from "../../../bench/app-copy";
import { AppDB } from "../../../database";
import { readTables } from "../../../db/__tests__/catalogue";
import { rowsOfTable, type Rows } from "../../../db/__tests__/victim";
import { attack, type Report } from "./support/attacks/run";
import { makeWorld, type AttackWorld, type Send } from "./support/attacks/world";
import type { Document } from "./support/fuzz/openapi";
import { type RunningApp, startApp, temporaryStateDir } from "./support/running-app";

const COUNT = Number(process.env.GROUNDWORK_ATTACKS ?? 3_000);
/** With a layer away: every place and id once, and as many more at random. */
const WITHOUT_A_LAYER = Math.min(COUNT, 100_000, Math.max(1_200, Math.round(COUNT / 10)));
const seed = Number(process.env.GROUNDWORK_ATTACK_SEED ?? 20_261_128);
const masterKey = "the-master-key-of-an-app-that-is-attacked";

const database = new pg.Pool({ connectionString: AppDB.connectionString, max: 2 });
const state = temporaryStateDir();
let copy = "";
let app: RunningApp;
let pool: Pool | undefined;
let world: AttackWorld;
let document: Document;

const send: Send = async ({ method, path, headers, body }) => {
  if (pool === undefined) throw new Error("the app is not running");
  const response = await pool.request({
    method,
    path,
    headers: headers ?? {},
    body: body ?? null,
  });
  return { status: response.statusCode, body: await response.body.text() };
};

async function start(folder?: string): Promise<void> {
  const env = { DATABASE_URL: AppDB.connectionString, MasterKey: masterKey, LIMIT_SCALE: "1000000" };
  app = await startApp(state.path, { ...env, LOG_LEVEL: "error" }, [], folder);
  pool = new Pool(app.baseUrl, { connections: 16 });
}

async function stop(): Promise<void> {
  await pool?.close();
  pool = undefined;
  await app?.stop();
}

const tables = async (): Promise<string[]> => {
  const client = await database.connect();
  const found = await readTables(client);
  client.release();
  // Partitions hold their parents' rows; how often the app acted as the system is counted for every tenant together.
  return found.filter(({ kind, name }) => kind === "r" && name !== "db.system_use").map(({ name }) => name);
};

/** By the server's superuser, whom row security does not hold. */
async function rows(): Promise<Rows> {
  const found = new Map<string, string[]>();
  for (const name of await tables()) {
    const { rows: read } = await database.query<{ row: string }>(rowsOfTable(name));
    found.set(
      name,
      read.map(({ row }) => row),
    );
  }
  return found;
}

async function withoutRowSecurity<T>(act: () => Promise<T>): Promise<T> {
  const turn = async (word: "enable" | "disable"): Promise<void> => {
    for (const name of await tables()) await database.query(`alter table ${name} ${word} row level security`);
  };
  await turn("disable");
  try {
    return await act();
  } finally {
    await turn("enable");
  }
}

async function run(count: number): Promise<Report> {
  const report = await attack({ world, send, rows, document, count, seed });
  const { leaks, ...figures } = report;
  process.stdout.write(`attacks: ${leaks.length} leaks, ${JSON.stringify(figures)}, seed ${seed}\n`);
  return report;
}

/** Files of the copy's services, without tests. */
function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return /__tests__|node_modules|^\./.test(entry.name) ? [] : sources(path);
    return path.endsWith(".ts") ? [path] : [];
  });
}

function rewrite(file: string, change: (text: string) => string): boolean {
  const text = readFileSync(file, "utf8");
  const changed = change(text);
  if (changed !== text) writeFileSync(file, changed);
  return changed !== text;
}

beforeAll(async () => {
  await start();
  world = await makeWorld(send);
  document = JSON.parse((await send({ method: "GET", path: "/docs/openapi.json" })).body) as Document;
}, 150_000);

afterAll(async () => {
  await stop();
  await database.end();
  state.remove();
  if (copy !== "") rmSync(copy, { recursive: true, force: true });
});

describe(`attempts on another organisation (GROUNDWORK_ATTACK_SEED=${seed})`, () => {
  test("none reads or changes anything", async () => {
    const { leaks, statuses, sweepSize } = await run(COUNT);
    expect(leaks).toEqual([]);
    expect(sweepSize).toBeGreaterThan(300);
    // Whoever is only ever refused at the door tests the door.
    expect(Object.keys(statuses)).toEqual(expect.arrayContaining(["200", "400", "401", "404"]));
  }, 3_600_000);

  test("nor without row security: each statement names its tenant", async () => {
    expect((await withoutRowSecurity(() => run(WITHOUT_A_LAYER))).leaks).toEqual([]);
  }, 600_000);

  test("nor without the guard, nor then without row security", async () => {
    await stop();
    copy = copyOfApp();
    const off = rewrite(join(copy, "security/guard.ts"), (text) =>
      text.replace("guardCall(req, next, admit))", "guardCall(req, next, undefined))"),
    );
    expect(off).toBe(true);
    await start(copy);
    expect((await run(WITHOUT_A_LAYER)).leaks).toEqual([]);
    expect((await withoutRowSecurity(() => run(WITHOUT_A_LAYER))).leaks).toEqual([]);
  }, 600_000);

  test("statements that forget their tenant leak nothing while row security is there, and without it they are seen", async () => {
    await stop();
    const files = sources(join(copy, "vectors"));
    expect(files.filter((file) => rewrite(file, forgetTenant)).length).toBeGreaterThan(1);
    await start(copy);
    expect((await run(WITHOUT_A_LAYER)).leaks).toEqual([]);
    const { leaks } = await withoutRowSecurity(() => run(WITHOUT_A_LAYER));
    // An answer that shows it, and a row that is gone.
    expect(leaks.filter((leak) => /^(?:foreign id|named tenant):/.test(leak))).not.toEqual([]);
    expect(leaks.filter((leak) => leak.startsWith("vectors.document: changed or gone"))).not.toEqual([]);
  }, 600_000);
});

const forgetTenant = (text: string): string =>
  text.replaceAll(/\b(?:\w+\.)?tenant_id = (\$\d+)(?!::)/g, "$1::uuid is not null");
