// The check of logs by command: what somebody did who owns the tables is found wherever it is, and told in words.
import { expect, test } from "vitest";
import { explaining } from "../../db/__tests__/explaining";
import { ownerPool } from "../../db/__tests__/owner";
import { newId } from "../../db/ids";
import { systemQuery, withSystem, withTenant, type TenantScope } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { defineAction } from "../action";
import { platformLog, recordForPlatform } from "../platform";
import { record } from "../record";
import { logList } from "../store";
import { verifyByCommand } from "../verify-command";
import { verifyLog, verifyLogs } from "../verify-logs";

const looked = defineAction("test.log.looked", { count: "plain" });

async function newLog(entries = 4): Promise<TenantScope> {
  const scope = { tenantId: tenantIdFrom(newId()) };
  for (let count = 1; count <= entries; count++)
    await withTenant(scope, (tx) => record(tx, looked, { fields: { count } }));
  return scope;
}

/** What somebody who owns the tables could do, past the trigger. */
async function tamper({ tenantId }: TenantScope, ...statements: string[]): Promise<TenantScope> {
  await ownerPool().query("alter table audit.entry disable trigger entry_append_only");
  for (const sql of statements) await systemQuery("test", sql, [tenantId]);
  await ownerPool().query("alter table audit.entry enable trigger entry_append_only");
  return { tenantId };
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
  "without its head": ["delete from audit.head where tenant_id = $1"],
  reordered: [3, 4]
    .map((seq) => `update audit.entry set seq = ${107 - seq} ${of(seq)}`)
    .concat([103, 104].map((seq) => `update audit.entry set seq = ${seq - 100} ${of(seq)}`)),
};

test("all logs: what was changed, removed, added or reordered is found in each, and no other is said to be broken", async () => {
  const before = newId();
  const sound = await newLog();
  const logs = Object.fromEntries(
    await Promise.all(Object.keys(PLANTS).map(async (how) => [how, await newLog()] as const)),
  ) as Record<keyof typeof PLANTS, TenantScope>;
  for (const [how, statements] of Object.entries(PLANTS)) await tamper(logs[how as keyof typeof PLANTS], ...statements);
  const { broken, ...sums } = await verifyLogs(undefined, before, 3);
  // Suites that ran in the same process before have left logs of their own.
  const own = [sound, ...Object.values(logs)].map(({ tenantId }): string => tenantId);
  const ofOwn = broken.filter(({ log }) => own.includes(log));
  expect(Object.fromEntries(ofOwn.map((found) => [found.log, found.broken]))).toEqual({
    [logs.changed.tenantId]: { seq: 2, what: "changed" },
    [logs.removed.tenantId]: { seq: 3, what: "missing" },
    [logs.added.tenantId]: { seq: 5, what: "changed" },
    [logs["added behind the end"].tenantId]: { seq: 6, what: "added" },
    [logs["without its head"].tenantId]: { seq: 1, what: "added" },
    [logs.reordered.tenantId]: { seq: 3, what: "changed" },
  });
  expect(sums.logs).toBeGreaterThanOrEqual(own.length);
  expect(await verifyLog(sound.tenantId)).toEqual({ logs: 1, entries: 4, broken: [] });
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
  await expect(verify(newId())).rejects.toThrow("there is no log of");
  await expect(verify("acme")).rejects.toThrow("neither an organisation's id");
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
