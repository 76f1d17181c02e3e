// Two versions of the app side by side on one database, as during a deployment, and one after the other, as on the way back. The
// next one knows an event more, which a consumer of both handles and one that only the next one has, a job more, and of a job of both
// a payload more. Nothing of them is lost, and the version that does not know them acknowledges none. Both transports at once: most of the time is waited
// for the leases of processes that stand still or were killed.
import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeOwnDatabase, type OwnDatabase } from "../../../runtime/__tests__/whole-app/support/own-database";
import {
  type RunningApp,
  startApp,
  temporaryStateDir,
  until,
} from "../../../runtime/__tests__/whole-app/support/running-app";
import { simulatedApp } from "../app";

const TENANT = "00000000-0000-7000-8000-000000000001";
const EVENTS = 30;
/** Of each call of /door/close. */
const SUBJECTS = 10;
/** What follows once from each event and job that only the next version knows. */
const NEW = ["closed", "filed", "settled"];
/** And from the job whose payload only the next version takes; its intents are these. */
const WIDENED = "widened";
const widenedOf = (intents: readonly string[]): string[] => intents.map((intent) => `feedface${intent.slice(8)}`);
const LIMIT_MS = 120_000;
/** A database number that no other suite uses, on the Redis that all share. */
const REDIS_NUMBER = 11;

const folders = { this: "", next: "" };

beforeAll(() => {
  folders.this = simulatedApp();
  folders.next = simulatedApp("next");
});

afterAll(() => {
  for (const folder of Object.values(folders)) rmSync(folder, { recursive: true, force: true });
});

async function empty(redisUrl: string): Promise<void> {
  const redis = new Redis(redisUrl);
  await redis.flushdb();
  await redis.quit();
}

const newIntents = (): string[] => Array.from({ length: EVENTS }, () => randomUUID());

async function post(app: RunningApp, path: string, body: object): Promise<void> {
  const response = await fetch(app.baseUrl + path, { method: "POST", body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}\n${app.output()}`);
}

async function move(app: RunningApp, intents: readonly string[]): Promise<void> {
  for (const id of intents)
    await post(app, "/door/take", {
      ...{ id, tenant: TENANT, kind: "event", subject: "moved", payments: "http://127.0.0.1:9", bug: "none" },
    });
}

const close = (app: RunningApp, subject: string, intents: readonly string[]): Promise<void> =>
  post(app, "/door/close", { tenant: TENANT, subject, intents, widened: widenedOf(intents) });

describe.concurrent.each(["Postgres", "Redis"])("with topics on %s", (transport) => {
  const state = { this: temporaryStateDir(), next: temporaryStateDir() };
  const running = new Set<RunningApp>();
  let database: OwnDatabase;
  let environment: Record<string, string>;

  beforeAll(async () => {
    database = await makeOwnDatabase(`versions_${transport.toLowerCase()}`);
    const redis = `${process.env.GROUNDWORK_TEST_REDIS_URL ?? ""}/${REDIS_NUMBER}`;
    if (transport === "Redis") await empty(redis);
    environment = {
      DATABASE_URL: database.url,
      MasterKey: "a-master-key-of-two-versions-of-one-app",
      LIMIT_SCALE: "1000000",
      LOG_LEVEL: "error",
      EVENTS_RELAY_POLL_MS: "100",
      ...(transport === "Redis" ? { REDIS_URL: redis } : {}),
    };
  });

  afterAll(async () => {
    await Promise.all([...running].map((app) => app.killTree()));
    await database?.drop();
    for (const { remove } of Object.values(state)) remove();
  });

  /** With all services, or with those that are named. */
  async function start(version: "this" | "next", services?: readonly string[]): Promise<RunningApp> {
    const hosting = { hosted_services: services, hosted_gateways: ["api-gateway"] };
    const some = { ENCORE_PROCESS_CONFIG: Buffer.from(JSON.stringify(hosting)).toString("base64") };
    const app = await startApp(
      state[version].path,
      { ...environment, ...(services ? some : {}) },
      [],
      folders[version],
    );
    running.add(app);
    return app;
  }

  async function kill(app: RunningApp): Promise<void> {
    running.delete(app);
    await app.killTree();
  }

  /** The intents that had the effect, each as often as it had it, in the order of their effects. */
  async function effects(what: string, intents: readonly string[]): Promise<string[]> {
    const { rows } = await database.client.query<{ intent: string }>(
      `select intent from (select intent, what, id from keeper.effect union all select intent, what, id from crew.effect) as effect
        where what = $1 and intent = any($2) order by id`,
      [what, intents],
    );
    return rows.map(({ intent }) => intent);
  }

  async function allOnce(what: string, intents: readonly string[]): Promise<void> {
    const missing = async (): Promise<number> => {
      const had = new Set(await effects(what, intents));
      return intents.filter((intent) => !had.has(intent)).length;
    };
    await until(`${what} of all`, async () => (await missing()) === 0, LIMIT_MS).catch(async (error: Error) => {
      throw new Error(`${error.message}: ${await missing()} of ${intents.length} are missing`);
    });
    expect((await effects(what, intents)).sort()).toEqual([...intents].sort());
  }

  /** And the effects of each subject in the order of its events. */
  async function allNewOnce(intents: readonly string[]): Promise<void> {
    for (const what of NEW) await allOnce(what, intents);
    await allOnce(WIDENED, widenedOf(intents));
    const done = (await effects("closed", intents)).map((intent) => intents.indexOf(intent));
    for (let subject = 0; subject < SUBJECTS; subject++) {
      const own = done.filter((n) => n % SUBJECTS === subject);
      expect(own).toEqual([...own].sort((a, b) => a - b));
    }
  }

  /** Events of the new type that a consumer has been given and has refused. */
  async function refused(): Promise<number> {
    const { rows } = await database.client.query<{ count: number }>(
      `select count(*)::int as count from events.inbox
        where consumer = 'keeper' and type = 'simulation.case.closed' and processed_at is null`,
    );
    return rows[0]?.count ?? 0;
  }

  test(
    "what only one version knows is handled once by that one, whoever relays it, up and back down",
    async () => {
      const old = await start("this");
      const before = newIntents();
      await move(old, before);
      await allOnce("event", before);

      // The overlap. Relays of both claim what the next version emits; what it emitted last is left to the other one for a
      // while, because it stands still, as a process that is starved.
      const next = await start("next");
      const [overlap, starved, moved] = [newIntents(), newIntents(), newIntents()];
      await Promise.all([close(next, "overlap", overlap), move(old, moved.slice(0, 15)), move(next, moved.slice(15))]);
      await close(next, "starved", starved);
      next.process.kill("SIGSTOP");
      const behind = newIntents();
      await move(old, behind);
      await allOnce("event", behind);
      next.process.kill("SIGCONT");
      for (const intents of [overlap, starved]) await allNewOnce(intents);
      await allOnce("event", moved);

      // The way back: the next version is gone but for its API, whose last events are left to one that does not know them.
      await kill(next);
      const door = await start("next", ["door"]);
      const orphans = newIntents();
      await close(door, "orphan", orphans);
      await kill(door);
      const after = newIntents();
      await move(old, after);
      await allOnce("event", after);
      await until("it was given what it does not know", async () => (await refused()) > 0, LIMIT_MS);
      for (const what of NEW) expect(await effects(what, orphans)).toEqual([]);
      expect(await effects(WIDENED, widenedOf(orphans))).toEqual([]);

      // And up again.
      await start("next");
      await allNewOnce(orphans);
      const { rows } = await database.client.query(
        `select consumer as at, reason from events.dead_letter union all select queue, reason from queues.dead_letter
         union all select consumer, 'is under way' from events.detour where consumer like 'keeper%'`,
      );
      expect(rows).toEqual([]);
    },
    LIMIT_MS * 4,
  );
});
