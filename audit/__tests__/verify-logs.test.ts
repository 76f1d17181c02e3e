// The check of logs by command: what somebody did who owns the tables is found wherever it is, and told in words.
import { expect, test } from "vitest";
import { knownOrganisations } from "../../auth/known-organisations";
import { organisationInsert } from "../../auth/store/accounts";
import { explaining } from "../../db/__tests__/explaining";
import { newId } from "../../db/ids";
import { systemQuery, withSystem, withTenant, type TenantScope } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { defineAction, type AuditAction } from "../action";
import { platformLog, recordForPlatform } from "../platform";
import { record } from "../record";
import { logList } from "../store";
import { verifyByCommand } from "../verify-command";
import { verifyLog, verifyLogs, type KnownOrganisations } from "../verify-logs";
import { pastTriggers } from "./past-triggers";

const looked = defineAction("test.log.looked", { count: "plain" });

async function newLog(entries = 4): Promise<TenantScope> {
  const scope = { tenantId: tenantIdFrom(newId()) };
  for (let count = 1; count <= entries; count++)
    await withTenant(scope, (tx) => record(tx, looked, { fields: { count } }));
  return scope;
}

async function tamper({ tenantId }: TenantScope, ...statements: string[]): Promise<void> {
  await pastTriggers(statements, [tenantId]);
}
const of = (seq: number): string => `where tenant_id = $1 and seq = ${seq}`;
const copyTo = (seq: number): string =>
  `insert into audit.entry select tenant_id, ${seq}, gen_random_uuid(), at, action, actor, target_type, target_id, correlation_id, fields, personal, personal_digest, hash
     from audit.entry ${of(3)}`;
const PLANTS = {
  changed: [`update audit.entry set fields = '{"count": 7}' ${of(2)}`],
  removed: [`delete from audit.entry ${of(3)}`],
  added: [copyTo(5), "update audit.head set seq = 5 where tenant_id = $1"],
  "added behind the end": [copyTo(6)],
  "put in front": [copyTo(0)],
  "without its head": ["delete from audit.head where tenant_id = $1"],
  "without fields": [`update audit.entry set fields = 'null' ${of(2)}`],
  "with a number for fields": [`update audit.entry set fields = '7' ${of(2)}`],
  "at no time": [`update audit.entry set at = 'infinity' ${of(2)}`],
  reordered: [3, 4]
    .map((seq) => `update audit.entry set seq = ${107 - seq} ${of(seq)}`)
    .concat([103, 104].map((seq) => `update audit.entry set seq = ${seq - 100} ${of(seq)}`)),
};
/** One that no library takes for a UUID, and Postgres does. */
const NO_ID = "ffffffff-ffff-0fff-bfff-ffffffffffff";
const CLEAR = "delete from audit.entry where tenant_id = $1 or at = 'infinity'";

test("all logs: what was changed, removed, added or reordered is found in each, one that cannot be read ends nothing, and no other is said to be broken", async () => {
  const before = newId();
  const sound = await newLog();
  const logs = Object.fromEntries(
    await Promise.all(Object.keys(PLANTS).map(async (how) => [how, await newLog()] as const)),
  ) as Record<keyof typeof PLANTS, TenantScope>;
  for (const [how, statements] of Object.entries(PLANTS)) await tamper(logs[how as keyof typeof PLANTS], ...statements);
  await systemQuery("test", copyTo(1).replace("select tenant_id", "select $2::uuid"), [sound.tenantId, NO_ID]);
  const { broken, ...sums } = await verifyLogs(undefined, { after: before, size: 3 });
  // Suites that ran in the same process before have left logs of their own.
  const own = [NO_ID, ...[sound, ...Object.values(logs)].map(({ tenantId }) => tenantId)];
  const ofOwn = broken.filter(({ log }) => own.includes(log));
  expect(Object.fromEntries(ofOwn.map((found) => [found.log, found.broken]))).toEqual({
    [logs.changed.tenantId]: { seq: 2, what: "changed" },
    [logs.removed.tenantId]: { seq: 3, what: "missing" },
    [logs.added.tenantId]: { seq: 5, what: "changed" },
    [logs["added behind the end"].tenantId]: { seq: 6, what: "added" },
    [logs["put in front"].tenantId]: { seq: 0, what: "added" },
    [logs["without its head"].tenantId]: { seq: 1, what: "added" },
    [logs["without fields"].tenantId]: { seq: 2, what: "changed" },
    [logs["with a number for fields"].tenantId]: { seq: 2, what: "changed" },
    [logs["at no time"].tenantId]: { seq: 1, what: "unreadable", reason: expect.stringContaining("bigint") as string },
    [NO_ID]: { seq: 1, what: "unreadable", reason: "TypeError: a tenant id must be a UUID" },
    [logs.reordered.tenantId]: { seq: 3, what: "changed" },
  });
  expect(sums.logs).toBeGreaterThanOrEqual(own.length);
  expect(await verifyLog(sound.tenantId)).toEqual({ logs: 1, entries: 4, broken: [], unsealed: [] });
  // What nothing can read is in the way of the suites that follow.
  await pastTriggers([CLEAR], [NO_ID]);
});

/** What is said, where each page takes a second. */
async function verify(log: string, pageMs = 1_000): Promise<{ isSound: boolean; said: string[]; progress: string[] }> {
  const [said, progress]: [string[], string[]] = [[], []];
  let nowMs = 0;
  const output = {
    say: (line: string) => void said.push(line),
    sayProgress: (line: string) => void progress.push(line),
    clock: () => (nowMs += pageMs),
  };
  return { isSound: await verifyByCommand(log, output), said, progress };
}

test("one log: the command says where it is broken and what that means, and how far it has come", async () => {
  const { tenantId } = await newLog();
  expect(await verify(tenantId)).toEqual({
    isSound: true,
    said: ["4 entries in 1 log: as they were written"],
    progress: [],
  });
  await tamper({ tenantId }, ...PLANTS.removed);
  const { isSound, said } = await verify(tenantId);
  expect(isSound).toBe(false);
  expect(said).toEqual([
    `BROKEN  ${tenantId}  entry 3 is missing: it was removed, or the log was cut off here`,
    "3 entries in 1 log read, each up to its first break; broken: 1",
  ]);
  await tamper({ tenantId }, `update audit.entry set at = 'infinity' ${of(1)}`);
  expect((await verify(tenantId)).said).toEqual([
    expect.stringContaining(`BROKEN  ${tenantId}  entry 1, or one after it, cannot be read: DbError: `),
    "0 entries in 1 log read, each up to its first break; broken: 1",
  ]);
  await pastTriggers([CLEAR], [tenantId]);
  await expect(verify(newId())).rejects.toThrow("there is no log of");
  await expect(verify("acme")).rejects.toThrow("neither an organisation's id");
});

test("an organisation that is there, and has no log, or one that begins otherwise than with its creation, is told of", async () => {
  const before = newId();
  const created = defineAction("test.organisation.created", {});
  const begin = async (action: AuditAction): Promise<TenantScope> => {
    const tenantId = tenantIdFrom(newId());
    const target = { type: "organisation", id: tenantId };
    await withTenant({ tenantId }, (tx) => record(tx, action, { target, fields: { count: 1 } }));
    return { tenantId };
  };
  const [sound, restarted, removed, empty] = [
    await begin(created),
    await begin(looked),
    await begin(created),
    await begin(created),
  ];
  await tamper(removed, "delete from audit.entry where tenant_id = $1", "delete from audit.head where tenant_id = $1");
  await tamper(
    empty,
    "delete from audit.entry where tenant_id = $1",
    "update audit.head set seq = 0, hash = kept_after, end_seal = null, sealed_seq = null where tenant_id = $1",
  );
  const ids: string[] = [sound, restarted, removed, empty].map(({ tenantId }) => tenantId).toSorted();
  const organisations: KnownOrganisations = {
    list: (after, limit) => Promise.resolve(ids.filter((id) => id > after).slice(0, limit)),
    isThere: (id) => Promise.resolve(ids.includes(id)),
    firstAction: created.name,
  };
  const found = {
    [restarted.tenantId]: { seq: 1, what: "restarted" },
    [removed.tenantId]: { seq: 1, what: "missing" },
    [empty.tenantId]: { seq: 1, what: "missing" },
  };
  const { broken } = await verifyLogs(undefined, { after: before, size: 3, organisations });
  const own = broken.filter(({ log }) => ids.includes(log));
  expect(Object.fromEntries(own.map((at) => [at.log, at.broken]))).toEqual(found);
  expect(own).toHaveLength(3);
  for (const id of ids)
    expect((await verifyLog(id, undefined, organisations))?.broken.map((at) => at.broken)).toEqual(
      id in found ? [found[id]] : [],
    );
  const said: string[] = [];
  const output = { say: (line: string) => void said.push(line), sayProgress: () => undefined, clock: () => 0 };
  expect(await verifyByCommand(restarted.tenantId, output, organisations)).toBe(false);
  expect(said[0]).toBe(
    `BROKEN  ${restarted.tenantId}  entry 1 is not the organisation's creation: its log was removed, and the app has begun another (one that is older than the audit log looks the same)`,
  );
});

test("those that are there are known by the organisations themselves, whose logs begin with their creation", async () => {
  const before = newId();
  const id = tenantIdFrom(newId());
  await withSystem("test", (tx) => organisationInsert(tx, { id, name: "Acme", createdAt: new Date() }));
  expect(await knownOrganisations.isThere(id)).toBe(true);
  // Others put organisations of any ids beside it.
  expect(await knownOrganisations.list(before, 1)).toEqual([id]);
  expect((await verifyLog(id, undefined, knownOrganisations))?.broken).toEqual([
    { log: id, broken: { seq: 1, what: "missing" } },
  ]);
  await systemQuery("test", "delete from auth.organisation where id = $1", [id]);
  expect(await knownOrganisations.isThere(id)).toBe(false);
  expect(await verifyLog(id, undefined, knownOrganisations)).toBeUndefined();
});

test("a long log is told of while it is checked, and the installation's has a name", async () => {
  const { tenantId } = await newLog(1);
  const { progress } = await verify(tenantId, 2_000);
  expect(progress).toEqual([`1 entry in 1 log so far, up to entry 1 of ${tenantId}`]);
  await withSystem("test", (tx) => recordForPlatform(tx, looked, { fields: { count: 1 } }));
  const { said } = await verify("installation");
  expect(said.at(-1)).toContain("in 1 log");
});

test("whose logs there are is found by index, however long they are", async () => {
  const plans = await withSystem("test", async (tx) => {
    await tx.execute("set local enable_seqscan = off");
    const explained = explaining(tx);
    await logList(explained.tx, platformLog.tenantId, 10);
    return explained.plans;
  });
  expect(plans).toHaveLength(1);
  expect(plans[0]).toMatch(/Index Only Scan using entry_\w+ on entry/);
  expect(plans[0]).not.toContain("Seq Scan");
});
