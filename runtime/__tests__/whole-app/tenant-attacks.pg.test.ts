// Attempts on another organisation, generated from the app's own description: every operation, every place that takes an id,
// forged claims, swapped keys, headers and members that name somebody else's. Jobs and events: db/__tests__/confused-deputies.
// Then the same with a layer taken away, and with a leak that has to be seen. The whole, a million:
//   GROUNDWORK_ATTACKS=1000000 npm run test:pg -- runtime/__tests__/whole-app/tenant-attacks.pg.test.ts
// GROUNDWORK_ATTACKS_WITHOUT_A_LAYER says how many with a layer away (a tenth, 100,000 at most). Repeat a run with
// GROUNDWORK_ATTACK_SEED.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { Pool } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { copyOfApp } from "../../../bench/app-copy";
import { AppDB } from "../../../database";
import { readTables } from "../../../db/__tests__/catalogue";
import { rowsOfTable, type Rows } from "../../../db/__tests__/victim";
import { root } from "../../http/__tests__/support/repository-root";
import { attack, LANES, type Report } from "./support/attacks/run";
import { makeWorld, type AttackWorld, type Send } from "./support/attacks/world";
import { operationsOf, type Document } from "./support/fuzz/openapi";
import { exposedIn, modelOf } from "./support/pairs/slots";
import { makeOwnRedis, type OwnRedis } from "./support/own-redis";
import { type RunningApp, startApp, temporaryStateDir } from "./support/running-app";
import { shownOf } from "./support/shown-of";

const COUNT = Number(process.env.GROUNDWORK_ATTACKS ?? 3_000);
/** With a layer away: every place and id once, and as many more at random. */
const WITHOUT_A_LAYER = Number(
  process.env.GROUNDWORK_ATTACKS_WITHOUT_A_LAYER ?? Math.min(100_000, Math.round(COUNT / 10)),
);
/** Of a test that makes so many attempts: 284 a second were measured on two cores that had other work too. */
const limitMs = (attempts: number): number => 300_000 + attempts * 10;
const seed = Number(process.env.GROUNDWORK_ATTACK_SEED ?? 20_261_128);
const masterKey = "the-master-key-of-an-app-that-is-attacked";

/** Places that an attacker's credentials never get behind, and why. */
const CLOSED = [
  // For the platform's staff: every role of an organisation is refused. Without the guard they are reached below.
  /^\w+ \/(?:operator|console\/api)\//,
  // What is asked for is a secret of the server's own making: one that nobody was given is refused as such.
  /, (?:challenge|mailedCode|refreshToken) in the body$/,
  // Where the page before ended: an id by itself is refused, and the one within only says which of equally good results come after.
  /^GET \/vectors\/search, cursor in the query$/,
  // The same, of an endpoint's messages; and it goes with one of two members, which are drawn.
  /^POST \/webhooks\/endpoints\/\{id\}\/replay, cursor in the body$/,
  // A token that the server sealed.
  /^GET \/notifications\/unsubscribe$/,
  // Names that each organisation gives its own templates.
  /^PUT \/notifications\/templates\/\{name\}\/\{language\}, (?:name|language) in the path$/,
  // There is nothing behind it: 405 for everybody.
  /^GET \/mcp$/,
];
/** The mailbox shows the machine's owner every mail; without an account of its own nobody attacks. */
const NOT_ATTACKED = ["POST /auth/account/delete", "GET /mail/messages/{}", "GET /mail/messages", "GET /mail"];

const STREAM_MS = 10_000;

const database = new pg.Pool({ connectionString: AppDB.connectionString, max: 2 });
const state = temporaryStateDir();
let copy = "";
let redis: OwnRedis;
let app: RunningApp;
let pool: Pool | undefined;
let world: AttackWorld;
let document: Document;

const send: Send = async ({ method, path, headers, body }) => {
  if (pool === undefined) throw new Error("the app is not running");
  const response = await pool.request({ method, path, headers: headers ?? {}, body: body ?? null });
  return { status: response.statusCode, body: await shownOf(response, STREAM_MS) };
};

async function start(): Promise<void> {
  const servers = { DATABASE_URL: AppDB.connectionString, REDIS_URL: redis.url };
  const env = { ...servers, MasterKey: masterKey, LIMIT_SCALE: "1000000" };
  app = await startApp(state.path, { ...env, LOG_LEVEL: "error" }, [], copy);
  pool = new Pool(app.baseUrl, { connections: LANES });
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

async function run(count: number, enough?: number): Promise<Report> {
  const report = await attack({
    world,
    send,
    rows,
    document,
    count,
    seed,
    ...(enough === undefined ? {} : { enough }),
  });
  const { leaks, attacked: _, unreached: __, ...figures } = report;
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
  redis = await makeOwnRedis("tenant-attacks");
  // What a hash of a password costs is held elsewhere; here it would be a third of the work.
  copy = copyOfApp();
  const isCheap = rewrite(join(copy, "auth/passwords.ts"), (text) =>
    text.replace("memoryCost: 19_456, timeCost: 2,", "memoryCost: 8, timeCost: 1,"),
  );
  expect(isCheap).toBe(true);
  // Nor does anything here end before its time, which is all that waiting for the disk is good for.
  await database.query(
    `alter database "${new URL(AppDB.connectionString).pathname.slice(1)}" set synchronous_commit = off`,
  );
  await start();
  world = await makeWorld(send, database);
  expect(await redis.contents(), "Redis counts the victim's requests").toContain(world.victim.session.organisation.id);
  document = JSON.parse((await send({ method: "GET", path: "/docs/openapi.json" })).body) as Document;
});

afterAll(async () => {
  await stop();
  await redis?.drop();
  await database.end();
  state.remove();
  if (copy !== "") rmSync(copy, { recursive: true, force: true });
});

/** Looks at a thing that stands in the path, which its owner would get. */
const looksAtThings = (): string[] =>
  operationsOf(document)
    .filter(({ method, path }) => method === "GET" && /^[^{}]*\{[^{}]*\}[^{}]*$/.test(path))
    .map(({ path }) => path)
    // Pages and mails of nobody's, and what only the platform's staff look at.
    .filter((path) => !/^\/(?:docs|mail|console|operator)\//.test(path));

describe(`attempts on another organisation (GROUNDWORK_ATTACK_SEED=${seed})`, () => {
  test("are for things that are there: in each place that is looked at, one of the victim's is shown to the victim", async () => {
    const { session, things } = world.victim;
    const headers = { authorization: `Bearer ${session.accessToken}` };
    const isShown = async (path: string): Promise<boolean> => {
      for (const id of new Set(Object.values(things))) {
        const address = path.replace(/\{[^{}]*\}/, encodeURIComponent(id));
        const { status } = await send({ method: "GET", path: address, headers });
        if (status === 200) return true;
      }
      return false;
    };
    const looks = looksAtThings();
    expect(looks.length).toBeGreaterThan(15);
    const empty: string[] = [];
    for (const path of looks) if (!(await isShown(path))) empty.push(path);
    expect(empty).toEqual([]);
  });

  test(
    "none reads or changes anything",
    async () => {
      const { leaks, statuses, sweepSize, unreached, attacked } = await run(COUNT);
      expect(leaks).toEqual([]);
      expect(sweepSize).toBeGreaterThan(1_500);
      expect(unreached.filter((place) => !CLOSED.some((reason) => reason.test(place)))).toEqual([]);
      const tried = new Set(attacked.map((operation) => operation.replace(/\{[^{}]*\}/g, "{}")));
      expect(exposedIn(modelOf(root)).filter((operation) => !tried.has(operation))).toEqual(NOT_ATTACKED);
      // Whoever is only ever refused at the door tests the door.
      expect(Object.keys(statuses)).toEqual(expect.arrayContaining(["200", "400", "401", "404"]));
    },
    limitMs(COUNT),
  );

  test(
    "nor without row security: each statement names its tenant",
    async () => {
      expect((await withoutRowSecurity(() => run(WITHOUT_A_LAYER))).leaks).toEqual([]);
    },
    limitMs(WITHOUT_A_LAYER),
  );

  test(
    "nor without the guard, nor then without row security",
    async () => {
      await stop();
      const off = rewrite(join(copy, "security/guard.ts"), (text) =>
        text.replace("guardCall(req, next, admit))", "guardCall(req, next, undefined))"),
      );
      expect(off).toBe(true);
      await start();
      expect((await run(WITHOUT_A_LAYER)).leaks).toEqual([]);
      expect((await withoutRowSecurity(() => run(WITHOUT_A_LAYER))).leaks).toEqual([]);
    },
    limitMs(2 * WITHOUT_A_LAYER),
  );

  test(
    "statements that forget their tenant leak nothing while row security is there, and without it they are seen",
    async () => {
      await stop();
      const files = FORGETFUL.flatMap((path) =>
        path.endsWith(".ts") ? [join(copy, path)] : sources(join(copy, path)),
      );
      expect(files.filter((file) => rewrite(file, forgetTenant)).length).toBeGreaterThan(7);
      await start();
      expect((await run(WITHOUT_A_LAYER)).leaks).toEqual([]);
      const { leaks } = await withoutRowSecurity(() => run(WITHOUT_A_LAYER, Infinity));
      const unseen = SEEN_LEAKS.filter((seen) => !leaks.some((leak) => leak.startsWith(seen)));
      expect(unseen).toEqual([]);
    },
    limitMs(2 * WITHOUT_A_LAYER),
  );
});

/** Whose statements are made to forget their tenant: of every kind of thing that an organisation has. */
const FORGETFUL = [
  "vectors",
  "queues/store",
  "sagas/store/saga.ts",
  "events/store/dead-letter-table.ts",
  "auth/store/domains.ts",
  "auth/store/identity-providers.ts",
  "db/tenant-export-page.ts",
  "services/assets/store/assets.ts",
  "services/ai/store/budget.ts",
  "services/records/store",
  "services/webhooks/store",
  "services/notifications/store",
  "secrets/store.ts",
];

/** Answers that show the victim's, and rows that are changed or gone. */
const SEEN_LEAKS = [
  "foreign id: GET /vectors/documents",
  "vectors.document: changed or gone",
  "foreign id: GET /tasks/",
  "queues.task: changed or gone",
  "foreign id: GET /sagas/",
  "foreign id: GET /api/v1/orders/",
  "foreign id: GET /api/v1/accounts/",
  "foreign id: GET /api/v1/transactions/",
  "foreign id: GET /api/v1/budgets/",
  "foreign id: GET /webhooks/endpoints/",
  "webhooks.endpoint: changed or gone",
  "webhooks.source: changed or gone",
  "sagas.saga: changed or gone",
  "events.dead_letter: changed or gone",
  "queues.dead_letter: changed or gone",
  "foreign id: GET /auth/domains",
  "auth.domain: changed or gone",
  "foreign id: GET /auth/identity-provider",
  "foreign id: GET /auth/organisations/",
  "foreign id: GET /assets/",
  "foreign id: GET /api/v1/products/",
  "records.product: changed or gone",
];

const forgetTenant = (text: string): string =>
  text
    .replaceAll(/\b(?:\w+\.)?tenant_id = (\$\d+)(?!::)/g, "$1::uuid is not null")
    .replace('"= $2"', '"is distinct from $2"')
    // But for what is read in the system's scope, where this is the only lock.
    .replace(
      "t.${tenantColumn} = $1",
      () => '${joined === undefined ? "$1::uuid is not null" : `t.${tenantColumn} = $1`}',
    );
