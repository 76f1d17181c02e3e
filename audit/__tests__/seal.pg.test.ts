// Where a log begins and ends is held by a key too. The attack: who owns the tables, and can switch their triggers off, removes the
// oldest or the newest entries and sets the head to what is left, each entry of which is as it was written.
import { beforeAll, describe, expect, test } from "vitest";
import { newId } from "../../db/ids";
import { systemQuery, tenantQuery, withSystem, withTenant, type TenantScope } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { defineAction } from "../action";
import { linkOf, personalDigest } from "../chain";
import { endLog } from "../erasure";
import { auditKey } from "../key";
import { platformLog } from "../platform";
import { record } from "../record";
import { purgeAudit } from "../retention";
import { sealByCommand } from "../seal-command";
import { maintainSeals, sealLog, sealLogs } from "../sealing";
import { entryAdd, entryList, headAdvance } from "../store";
import { judgeSeals, verifyPage, type Verification } from "../verify";
import { verifyByCommand } from "../verify-command";
import { age } from "./ageing";
import { pastTriggers } from "./past-triggers";

const done = defineAction("test.thing.sealed", { n: "plain" });
const write = (scope: TenantScope, n = 0): Promise<void> =>
  withTenant(scope, (tx) => record(tx, done, { fields: { n } }));
async function newLog(entries = 4): Promise<TenantScope> {
  const scope = { tenantId: tenantIdFrom(newId()) };
  for (let n = 1; n <= entries; n++) await write(scope, n);
  return scope;
}
const owner = ({ tenantId }: TenantScope, ...statements: string[]): Promise<void> =>
  pastTriggers(statements, [tenantId]);
const of = "where tenant_id = $1";
const HASH_OF = (seq: number): string => `(select hash from audit.entry ${of} and seq = ${seq})`;
/** Removes the last entry, and sets the head to the one before. */
const CUT = [`update audit.head set seq = 3, hash = ${HASH_OF(3)} ${of}`, `delete from audit.entry ${of} and seq > 3`];
const TRIM = [
  `update audit.head set kept_from = 3, kept_after = ${HASH_OF(2)} ${of}`,
  `delete from audit.entry ${of} and seq < 3`,
];
const STRIP = `update audit.head set start_seal = null, end_seal = null, sealed_seq = null ${of}`;
const unsealed = (seq: number): object => ({ isDone: true, broken: { seq, what: "unsealed" } });
/** As before all logs of the installation were sealed. */
const verifyBefore = (scope: TenantScope): Promise<Verification> =>
  verifyPage(scope, 0, 100, (log, ends) => judgeSeals(log, ends, () => Promise.resolve(false)));

beforeAll(() => sealLogs());

describe("who owns the tables", () => {
  test.for([
    ["cuts the end off", CUT, { seq: 4, what: "missing" }],
    [
      "cuts it off, and says that it was sealed there",
      [...CUT, `update audit.head set sealed_seq = 3 ${of}`],
      { seq: 3, what: "unsealed" },
    ],
    ["cuts it off, and takes the seal away", [...CUT, STRIP], { seq: 3, what: "unsealed" }],
    [
      "cuts all of it off",
      [`update audit.head set kept_from = 5, kept_after = hash ${of}`, `delete from audit.entry ${of}`],
      { seq: 5, what: "unsealed" },
    ],
    ["trims the start", TRIM, { seq: 3, what: "unsealed" }],
    [
      "trims it, and seals it by the end's seal",
      [...TRIM, `update audit.head set start_seal = end_seal ${of}`],
      { seq: 3, what: "unsealed" },
    ],
    [
      "trims it, and seals it by something else",
      [...TRIM, `update audit.head set start_seal = 'x' ${of}`],
      { seq: 3, what: "unsealed" },
    ],
  ] as const)("%s: it is found out, and what is recorded later does not hide it", async ([, statements, broken]) => {
    const scope = await newLog();
    await owner(scope, ...statements);
    expect(await verifyPage(scope)).toMatchObject({ isDone: true, broken });
    for (let n = 0; n < 3; n++) await write(scope);
    const { what } = (await verifyPage(scope)).broken ?? {};
    expect(["unsealed", "changed"]).toContain(what);
  });

  test("takes another log's seals: it is found out", async () => {
    const [scope, other] = [await newLog(), await newLog()];
    for (const log of [scope, other]) await age(log, 100, 2);
    await purgeAudit(new Date(), 95);
    expect(await verifyPage(scope)).toEqual({ checked: 2, through: 4, isDone: true });
    for (const [column, seq] of [
      ["start_seal", 3],
      ["end_seal", 4],
    ] as const) {
      const kept = await systemQuery<{ seal: Buffer }>("test", `select ${column} as seal from audit.head ${of}`, [
        scope.tenantId,
      ]);
      await systemQuery(
        "test",
        `update audit.head set ${column} = (select ${column} from audit.head where tenant_id = $2) ${of}`,
        [scope.tenantId, other.tenantId],
      );
      expect(await verifyPage(scope)).toMatchObject(unsealed(seq));
      await systemQuery("test", `update audit.head set ${column} = $2 ${of}`, [scope.tenantId, kept[0]?.seal]);
    }
    expect((await verifyPage(scope)).broken).toBeUndefined();
  });

  test("makes an entry older than it is, so that retention takes it with those before it: its place is under no seal", async () => {
    const scope = await newLog();
    await owner(scope, `update audit.entry set at = at - interval '100 days' ${of} and seq <= 2`);
    await purgeAudit(new Date(), 95);
    expect(await verifyPage(scope)).toMatchObject(unsealed(3));
  });
});

test("with the app's own rights entries past 90 days can be removed: what AUDIT_KEEP_DAYS would have kept is missed", async () => {
  const scope = await newLog();
  await age(scope, 100, 2);
  const begin = `update audit.head set kept_from = 3, kept_after = ${HASH_OF(2)} ${of}`;
  await tenantQuery(scope, begin, [scope.tenantId]);
  await tenantQuery(scope, `delete from audit.entry ${of} and seq < 3`, [scope.tenantId]);
  expect(await verifyPage(scope)).toMatchObject(unsealed(3));
  // Once retention itself is past them nothing is missed any more.
  await age(scope, 100, 3);
  await purgeAudit(new Date(), 95);
  expect(await verifyPage(scope)).toEqual({ checked: 1, through: 4, isDone: true });
});

/** As the version before wrote: it knows of no seals. */
const writeBefore = (scope: TenantScope): Promise<void> =>
  withTenant(scope, async (tx) => {
    const { seq, atMicros, before } = await headAdvance(tx, scope.tenantId);
    const id = newId();
    const names = {
      id,
      atMicros,
      action: done.name,
      actor: "user:x",
      targetType: null,
      targetId: null,
      correlationId: id,
    };
    const entry = {
      tenantId: scope.tenantId,
      seq,
      ...names,
      fields: { n: seq },
      personalDigest: personalDigest(auditKey(), id, {}),
    };
    await entryAdd(tx, { ...entry, personal: null, hash: linkOf(auditKey(), before, entry) }, null);
  });

describe("a log of before there were seals", () => {
  test("is no break until all logs were sealed: what no seal covers is told; then it is one", async () => {
    const scope = await newLog(2);
    await age(scope, 100, 1);
    await purgeAudit(new Date(), 95);
    await systemQuery("test", STRIP, [scope.tenantId]);
    await write(scope);
    const page = { checked: 2, through: 3, isDone: true };
    expect(await verifyBefore(scope)).toEqual({ ...page, unsealed: { start: true, after: 0 } });
    expect(await verifyPage(scope)).toMatchObject({ ...page, ...unsealed(2) });
  });

  test("and what a process of that version writes beside this one, are sealed by command, which the log says itself", async () => {
    const scope = await newLog(2);
    await writeBefore(scope);
    await write(scope);
    expect(await verifyPage(scope)).toEqual({
      checked: 4,
      through: 4,
      isDone: true,
      unsealed: { start: false, after: 2 },
    });
    const said: string[] = [];
    const output = { say: (line: string) => void said.push(line), sayProgress: () => undefined, clock: () => 0 };
    expect(await verifyByCommand(scope.tenantId, output)).toBe(true);
    expect(said).toEqual([
      `UNSEALED  ${scope.tenantId}  entries may have been removed behind those that follow entry 2`,
      "4 entries in 1 log: as they were written; not wholly under seals: 1, see `audit seal`",
    ]);
    for (const sealing of ["is sealed, where it begins and where it ends", "was sealed already"]) {
      said.length = 0;
      expect(await sealByCommand(scope.tenantId, (line) => said.push(line))).toBe(true);
      expect(said).toEqual([`${scope.tenantId}  ${sealing}`]);
    }
    const { rows } = await entryList(scope, "audit.log.sealed", 5, undefined);
    expect(rows.map(({ seq, fields, actor }) => ({ seq, fields, actor }))).toEqual([
      { seq: 5, fields: { from: 1, through: 4 }, actor: "system:command" },
    ]);
    await write(scope);
    expect(await verifyPage(scope)).toEqual({ checked: 6, through: 6, isDone: true });
  });

  test("gets no seal while it is broken, nor an entry when its organisation is gone", async () => {
    const [broken, gone] = [await newLog(), await newLog()];
    await owner(broken, STRIP, `delete from audit.entry ${of} and seq = 2`);
    expect(await sealLog(broken.tenantId)).toBe("broken");
    expect(await sealByCommand(broken.tenantId, () => undefined)).toBe(false);
    await withSystem("test", (tx) => endLog(tx, gone.tenantId));
    await systemQuery("test", STRIP, [gone.tenantId]);
    expect(await sealLog(gone.tenantId)).toBe("sealed");
    expect(await verifyPage(gone)).toEqual({ checked: 4, through: 4, isDone: true });
    await expect(sealByCommand(newId(), () => undefined)).rejects.toThrow("there is no log of");
    await expect(sealByCommand("acme", () => undefined)).rejects.toThrow("neither an organisation's id");
  });

  test("is sealed once by upkeep, which says so in the installation's log, and never again", async () => {
    const scope = await newLog(1);
    await systemQuery("test", STRIP, [scope.tenantId]);
    await maintainSeals(new Date());
    expect(await verifyPage(scope)).toMatchObject(unsealed(1));
    const saidSo = async (): Promise<number> =>
      (await entryList(platformLog, "audit.logs.sealed", 50, undefined)).rows.length;
    const before = await saidSo();
    expect(before).toBeGreaterThan(0);
    await maintainSeals(new Date(Date.now() + 31 * 86_400_000));
    expect(await saidSo()).toBe(before + 1);
  });

  test("is not sealed by upkeep while the installation's log is broken: from that may be missing that all were sealed", async () => {
    const scope = await newLog(1);
    await systemQuery("test", STRIP, [scope.tenantId]);
    const kept = await systemQuery<{ seq: string }>(
      "test",
      "select seq from audit.entry where tenant_id = $1 and action = 'audit.logs.sealed'",
      [platformLog.tenantId],
    );
    expect(kept.length).toBeGreaterThan(0);
    // As though it had been taken out: no entry of that name.
    await owner(platformLog, `update audit.entry set action = 'x.' || action ${of} and action = 'audit.logs.sealed'`);
    await maintainSeals(new Date());
    expect(await verifyBefore(scope)).toMatchObject({ unsealed: { after: 0 } });
    await owner(
      platformLog,
      `update audit.entry set action = substr(action, 3) ${of} and action = 'x.audit.logs.sealed'`,
    );
    expect((await verifyPage(platformLog)).broken).toBeUndefined();
    expect(await verifyPage(scope)).toMatchObject(unsealed(1));
  });
});
