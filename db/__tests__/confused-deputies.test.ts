// Work that is done later, for somebody who is gone: a tenant's event, job or saga that names another tenant's things must not
// make the app, which may do everything, act on them or read them. Every event of the catalogue, every job and every saga of the
// sources is tried; one that is added is tried without being named here. Whoever can bend a statement in a tenant's transaction
// can write such rows.
import { readFileSync } from "node:fs";
import { beforeAll, expect, inject, test, vi } from "vitest";
import { catalog } from "../../events/catalog";
import { localConsumers } from "../../events/consumer";
import type { EventDefinition } from "../../events/event";
import { emit } from "../../events/outbox";
import { enqueue } from "../../queues/enqueue";
import { countJobs } from "../../queues/factory";
import type { JobDefinition } from "../../queues/job";
import type { AppModel } from "../../runtime/model";
import { jobOf } from "../../sagas/job";
import { startSaga } from "../../sagas/start-saga";
import { knownSagas } from "../../sagas/worker";
import { readBytes } from "../../services/assets/bucket";
import { runRelayAndWorkers } from "../../testing";
import { systemQuery, tenantQuery, withSystem, withTenant, type Tx } from "../tenant";
import { allRows } from "./all-rows";
import { loadDeferredWork } from "./deferred-work";
import { payloadsNaming, type Named } from "./named-payloads";
import { ownerPool } from "./owner";
import { FILE_TEXT, makeTenant, saga as ownSaga, undoWork, type RichTenant } from "./rich-tenant";
import { differences, leaks, type Victim } from "./victim";

/** A round without row security, and what shows that these attempts could do harm, are for `npm run test:pg`: each takes as long as the first. */
const isNative = process.env.GROUNDWORK_TEST_POSTGRES_URL !== undefined;
const MARKER = "zanzibarquartz";
const model = JSON.parse(readFileSync(inject("groundworkTestApp").modelFile, "utf8")) as AppModel;
const work = await loadDeferredWork(model);
const jobs: readonly JobDefinition[] = [...work.jobs, ...knownSagas().map((saga) => jobOf(saga))];

runRelayAndWorkers();

let startedAt: Date;
let victim: RichTenant;
let attacker: RichTenant;
let judged: Victim;

beforeAll(async () => {
  [{ startedAt }] = (await systemQuery("test", 'select now() as "startedAt"', [])) as [{ startedAt: Date }];
  victim = await makeTenant(MARKER);
  attacker = await makeTenant("attacker");
  await settle();
  judged = {
    marker: MARKER,
    ids: [victim.tenantId, victim.authData.userID],
    attackers: [attacker.tenantId],
  };
});

/** What waits for its time is left out, but for what failed and comes again. */
const UNPUBLISHED = `select count(*)::int as n from events.outbox
  where published_at is null and created_at >= $1 and (attempts > 0 or next_attempt_at < now() + interval '1 minute')`;
const UNHANDLED = `select count(*)::int as n from events.outbox e join unnest($2::text[], $3::text[]) as c (name, key) on c.key = e.type || '@' || e.version
  where e.destination = 'event' and e.created_at >= $1
    and not exists (select from events.inbox i where i.consumer = c.name and i.event_id = e.id and (i.processed_at is not null or i.dead_at is not null))`;

const isIdle = async (): Promise<void> => {
  const handled = [...localConsumers.values()].flatMap(({ name, byKey }) =>
    [...byKey.keys()].map((key) => ({ name, key })),
  );
  const [waiting] = await systemQuery("test", UNPUBLISHED, [startedAt]);
  const [open] = await systemQuery("test", UNHANDLED, [
    startedAt,
    handled.map(({ name }) => name),
    handled.map(({ key }) => key),
  ]);
  expect([waiting, open]).toEqual([{ n: 0 }, { n: 0 }]);
  for (const { name } of jobs)
    expect(
      Object.values(await countJobs(name, "waiting", "prioritized", "active", "delayed")).every((n) => n === 0),
      name,
    ).toBe(true);
};

/**
 * All that was asked for before is done: every consumer has handled every event that it handles, or given it up. On a slow machine
 * the relay lets a consumer rest for a minute.
 */
const settle = (): Promise<void> => vi.waitFor(isIdle, { timeout: 150_000, interval: 200 });

/** Takes every event there is, as it is: it passes the payload on and looks up nothing that stands in it. */
const PASSES_ON = "webhooks-out";

/** An event that no consumer handles, or one alone that passes it on, is the same to everybody, whatever it names. */
const payloadsOf = (event: EventDefinition, named: Named): unknown[] =>
  payloadsNaming(event.payload, named).slice(
    0,
    [...localConsumers.values()].some(({ name, byKey }) => name !== PASSES_ON && byKey.has(event.key)) ? undefined : 1,
  );

/** What there is for the job to act on: there are two sagas, and each is driven by its own. */
const namedFor = ({ name }: JobDefinition, { named, ownSagaId }: RichTenant): Named =>
  name === jobOf(ownSaga).name ? { ...named, sagaId: ownSagaId } : named;

/** Everything that can be asked for about the things that are named, a transaction each kind of work. */
async function askForAll(tenant: RichTenant, whose: RichTenant): Promise<number> {
  const { named } = whose;
  let attempts = 0;
  const ask = async (payloads: unknown[], act: (payload: unknown) => Promise<unknown>): Promise<void> => {
    for (const payload of payloads) await act(payload);
    attempts += payloads.length;
  };
  await withTenant(tenant, async (tx) => {
    for (const event of catalog.values()) {
      const about = { aggregateType: "any", aggregateId: crypto.randomUUID() };
      await ask(payloadsOf(event, named), (payload) => emit(tx, event, payload, about));
    }
  });
  await settle();
  await withTenant(tenant, async (tx) => {
    for (const job of jobs)
      await ask(payloadsNaming(job.payload, namedFor(job, whose)), (payload) => enqueue(tx, job, payload));
    for (const saga of knownSagas())
      await ask(payloadsNaming(saga.input, named), (input) => startSaga(tx, saga, input));
  });
  await settle();
  return attempts;
}

async function attempt(): Promise<void> {
  expect(await askForAll(attacker, victim)).toBeGreaterThan(80);
}

/** What the attempts changed of the victim's, and what they read of it into rows of the attacker's. */
async function harmSince(before: Awaited<ReturnType<typeof allRows>>): Promise<string[]> {
  const after = await allRows();
  return [...differences(before, after, judged), ...leaks(after, judged), ...(await missingBytes())];
}

async function missingBytes(): Promise<string[]> {
  try {
    const parts: Buffer[] = [];
    for await (const part of readBytes(
      { tenantId: victim.tenantId, id: victim.named.id! },
      0,
      FILE_TEXT(MARKER).length - 1,
    ))
      parts.push(part);
    return Buffer.concat(parts).toString() === FILE_TEXT(MARKER) ? [] : ["the file has other bytes"];
  } catch {
    return ["the file's bytes are gone"];
  }
}

async function withoutRowSecurity<T>(act: () => Promise<T>): Promise<T> {
  const { rows } = await ownerPool().query<{ name: string }>(
    "select oid::regclass::text as name from pg_class where relrowsecurity",
  );
  const turn = async (word: "enable" | "disable"): Promise<void> => {
    for (const { name } of rows) await ownerPool().query(`alter table ${name} ${word} row level security`);
  };
  await turn("disable");
  try {
    return await act();
  } finally {
    await turn("enable");
  }
}

test("what is tried is what the sources define: each job, consumer, saga and cron", () => {
  const named = (call: string): (string | undefined)[] =>
    work.definitions
      .filter((definition) => definition.call === call && definition.file !== "sagas/job.ts")
      .map(({ name }) => name);
  expect(named("defineJob").sort()).toEqual(work.jobs.map(({ name }) => name).sort());
  expect(jobs.map(({ name }) => name).sort()).toEqual([...work.workers].sort());
  expect(named("consumer").sort()).toEqual([...work.consumers].sort());
  const subscriptions = model.topics.flatMap((topic) => topic.subscriptions.map(({ name }) => name));
  expect(subscriptions.sort()).toEqual([...work.consumers].sort());
  // And the one of this suite: the app has none of its own.
  expect(knownSagas()).toHaveLength(named("registerSaga").length + 1);
  expect([...work.crons.keys()]).toEqual(model.crons.map(({ id }) => id));
  expect([work.jobs.length, work.consumers.length, work.crons.size].every((n) => n > 5)).toBe(true);
});

test("what warns somebody, or was promised to be removed, is called off by nobody whom it concerns", () => {
  expect(
    jobs
      .filter(({ isCancelable = true }) => !isCancelable)
      .map(({ name }) => name)
      .sort(),
  ).toEqual([
    ...["assets:remove", "auth:mail", "auth:operator-refusal", "notifications:purge-member", "webhooks:deliver"],
  ]);
});

test("no event, job or saga of a tenant acts on another tenant whose things it names, nor a cron for what it left", async () => {
  const runCrons = async (): Promise<void> => {
    for (const run of work.crons.values()) await run();
    await settle();
  };
  await runCrons();
  const before = await allRows();
  await attempt();
  expect(await harmSince(before)).toEqual([]);
  await runCrons();
  expect(await harmSince(before)).toEqual([]);
});

test.runIf(isNative)("nor without row security: whoever acts later asks for the tenant by itself", async () => {
  await undoWork(victim);
  const before = await allRows();
  await withoutRowSecurity(async () => {
    const { tenantId } = victim;
    const counted = "select count(*)::int as n from assets.asset where tenant_id = $1";
    // It is off: another tenant's scope sees the victim's.
    expect(await tenantQuery(attacker, counted, [tenantId])).toEqual([{ n: 1 }]);
    await attempt();
  });
  expect(await harmSince(before)).toEqual([]);
});

test.runIf(isNative)(
  "each job and saga does act on these things for who may ask: the tenant itself, or the app",
  async () => {
    const mayEnd = (name: string): boolean => name.endsWith(":purge-tenant");
    /** Asked for by the app alone. */
    const isOfApp = (name: string): boolean => mayEnd(name) || name === "auth:operator-refusal";
    const idle: string[] = [];
    // Those that end the tenant come last, and leave nothing for others.
    for (const job of [...jobs].sort((a, b) => Number(mayEnd(a.name)) - Number(mayEnd(b.name)))) {
      await undoWork(victim);
      const before = await allRows();
      const ask = async (tx: Tx): Promise<void> => {
        for (const payload of payloadsNaming(job.payload, namedFor(job, victim))) await enqueue(tx, job, payload);
      };
      await (isOfApp(job.name) ? withSystem("test", ask) : withTenant(victim, ask));
      await settle();
      const acted = differences(before, await allRows(), judged).filter((line) => !/^(?:events|queues)\./.test(line));
      if (acted.length === 0) idle.push(job.name);
    }
    expect(idle).toEqual([]);
  },
);
