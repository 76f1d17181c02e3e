// Where a log begins and ends is held by a key too. The attack: who owns the tables, and can switch their triggers off, removes the
// oldest or the newest entries and sets the head to what is left, each entry of which is as it was written.
import { beforeAll, describe, expect, test } from "vitest";
import { duringChange } from "../../auth/__tests__/races";
import { newId } from "../../db/ids";
import { systemQuery, tenantQuery, withSystem, type TenantScope, type Tx } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { endLog } from "../erasure";
import { platformLog } from "../platform";
import { purgeAudit } from "../retention";
import { sealByCommand } from "../seal-command";
import { sealLog, sealLogs } from "../sealing";
import { entryList, entryPurge, headFind, type EntryRow } from "../store";
import { verifyPage } from "../verify";
import { verifyByCommand } from "../verify-command";
import { age } from "./ageing";
import {
  addBefore,
  CUT,
  HASH_OF,
  newLog,
  of,
  owner,
  STRIP,
  TRIM,
  unsealed,
  verifyBefore,
  write,
  writeBefore,
} from "./sealed-logs";

const FORGE = `update audit.head set end_seal = decode(repeat('61', 36), 'hex') ${of}`;

/** What the installation's log tells of seals for this log. */
const notedOf = async ({ tenantId }: TenantScope): Promise<EntryRow[]> =>
  (await entryList(platformLog, "audit.log.sealed", 200, undefined)).rows.filter((row) => row.targetId === tenantId);

beforeAll(async () => void (await sealLogs()));

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
    await purgeAudit(95);
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
    await purgeAudit(95);
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
  await purgeAudit(95);
  expect(await verifyPage(scope)).toEqual({ checked: 1, through: 4, isDone: true });
});

describe("a log of before there were seals", () => {
  test("is no break until all logs were sealed: what no seal covers is told; then it is one", async () => {
    const scope = await newLog(2);
    await age(scope, 100, 1);
    await purgeAudit(95);
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
    for (const sealing of [
      "is sealed, where it begins and where it ends",
      "was sealed already; whether its entries are as they were written is told by `audit verify`",
    ]) {
      said.length = 0;
      expect(await sealByCommand(scope.tenantId, (line) => said.push(line))).toBe(true);
      expect(said).toEqual([`${scope.tenantId}  ${sealing}`]);
    }
    const { rows } = await entryList(scope, "audit.log.sealed", 5, undefined);
    expect(rows.map(({ seq, fields, actor }) => ({ seq, fields, actor }))).toEqual([
      { seq: 5, fields: { from: 1, through: 4, override: null }, actor: "system:command" },
    ]);
    expect(await notedOf(scope)).toMatchObject([{ fields: { from: 1, through: 4, override: null } }]);
    await write(scope);
    expect(await verifyPage(scope)).toEqual({ checked: 6, through: 6, isDone: true });
  });

  test("of an organisation that is gone gets no entry of its own: the installation's log tells of it", async () => {
    const gone = await newLog();
    await withSystem("test", (tx) => endLog(tx, gone.tenantId));
    await systemQuery("test", STRIP, [gone.tenantId]);
    expect(await sealByCommand(gone.tenantId, () => undefined, "ticket 4711")).toBe(true);
    expect(await verifyPage(gone)).toEqual({ checked: 4, through: 4, isDone: true });
    expect(await notedOf(gone)).toMatchObject([
      { actor: "system:command", fields: { from: 1, through: 4, override: "ticket 4711" } },
    ]);
  });

  test("is sealed by the id of whom it is of alone", async () => {
    await expect(sealByCommand(newId(), () => undefined)).rejects.toThrow("there is no log of");
    await expect(sealByCommand("acme", () => undefined)).rejects.toThrow("neither an organisation's id");
  });
});

describe("what somebody did to a log is not sealed", () => {
  test.for([
    ["an end that was cut below its seal", CUT, { seq: 4, what: "missing" }, 3],
    ["a seal of the end that no key made", [FORGE], { seq: 4, what: "unsealed" }, 4],
    ["a start that was trimmed", TRIM, { seq: 3, what: "unsealed" }, 4],
    ["a log whose seals were taken away", [STRIP], { seq: 4, what: "unsealed" }, 4],
  ] as const)(
    "%s: but by who says why, which the installation's log tells",
    async ([, statements, broken, through]) => {
      const scope = await newLog();
      await owner(scope, ...statements);
      const before = await headFind(scope);
      const said: string[] = [];
      expect(await sealLog(scope.tenantId)).toBe("broken");
      expect(await sealByCommand(scope.tenantId, (line) => said.push(line))).toBe(false);
      await sealLogs();
      expect(said).toEqual([`${scope.tenantId}  is broken and left as it is: see \`audit verify\``]);
      expect(await headFind(scope)).toEqual(before);
      expect(await verifyPage(scope)).toMatchObject({ broken });
      expect(await notedOf(scope)).toEqual([]);
      expect(await sealByCommand(scope.tenantId, () => undefined, " two versions side by side ")).toBe(true);
      const fields = { from: before.keptFrom, through, override: "two versions side by side" };
      expect(await notedOf(scope)).toMatchObject([{ fields }]);
      expect((await entryList(scope, "audit.log.sealed", 5, undefined)).rows).toMatchObject([{ fields }]);
      expect((await verifyPage(scope)).broken).toBeUndefined();
    },
  );

  test.for([
    ["a gap", STRIP, `delete from audit.entry ${of} and seq = 2`],
    ["an entry that was changed", STRIP, `update audit.entry set actor = 'user:eve' ${of} and seq = 2`],
    ["an end set back alone", `update audit.head set seq = 3 ${of}`],
  ])("%s: by no reason either", async ([, ...statements]) => {
    const scope = await newLog();
    await owner(scope, ...statements);
    expect(await sealLog(scope.tenantId)).toBe("broken");
    expect(await sealByCommand(scope.tenantId, () => undefined, "ticket 4711")).toBe(false);
    expect(await notedOf(scope)).toEqual([]);
  });

  test.for([
    ["as it should be", undefined, "sealed"],
    ["by who has no key", Buffer.alloc(32), "broken"],
  ] as const)("an entry that is written while the log is checked, %s, is checked before", async ([, hash, sealing]) => {
    const scope = await newLog(2);
    await owner(scope, STRIP);
    const add = (tx: Tx): Promise<void> => addBefore(tx, scope, hash);
    expect(await duringChange(add, () => sealLog(scope.tenantId, "ticket 4711"))).toEqual([sealing]);
    expect((await notedOf(scope)).map(({ fields }) => fields["through"])).toEqual(sealing === "sealed" ? [3] : []);
  });

  test("and no reason is given for all logs, nor an empty one", () => {
    for (const [log, why] of [
      ["", "ticket 4711"],
      [newId(), " "],
    ] as const)
      expect(() => sealByCommand(log, () => undefined, why)).toThrow("--override says why");
  });
});

describe("a process of the version before, beside this one", () => {
  /** As its retention: it sets the start on, and knows of no seal. */
  const purgeBefore = (): Promise<unknown> => withSystem("test", (tx) => entryPurge(tx, 95, 1_000));

  async function begun(): Promise<TenantScope> {
    const scope = { tenantId: tenantIdFrom(newId()) };
    await writeBefore(scope);
    await write(scope);
    return scope;
  }
  async function setOn(): Promise<TenantScope> {
    const scope = await newLog();
    await age(scope, 100, 2);
    await purgeAudit(95);
    await age(scope, 100, 3);
    await purgeBefore();
    return scope;
  }
  /** Its end is sealed at an entry that retention has removed. */
  async function lagging(): Promise<TenantScope> {
    const scope = await newLog(2);
    for (let n = 0; n < 2; n++) await writeBefore(scope);
    const { endSeal } = await headFind(scope);
    await age(scope, 100, 3);
    await systemQuery("test", `update audit.head set sealed_seq = 2, end_seal = $2 ${of}`, [scope.tenantId, endSeal]);
    await purgeAudit(95);
    return scope;
  }

  test.for([
    ["begins a log", begun, { start: false, after: 0 }, 2],
    ["sets a start on", setOn, { start: true, after: 4 }, 4],
    ["leaves an end behind until retention passes it", lagging, { start: false, after: 0 }, 4],
  ] as const)(
    "%s: that is told of, and no break until somebody says that all are sealed; then it can be mended",
    async ([, make, open, seq]) => {
      const scope = await make();
      const page = await verifyBefore(scope);
      expect(page.broken).toBeUndefined();
      expect(page.unsealed).toEqual(open);
      expect(await verifyPage(scope)).toMatchObject(unsealed(seq));
      expect(await sealByCommand(scope.tenantId, () => undefined)).toBe(false);
      expect(await sealByCommand(scope.tenantId, () => undefined, "rolled back for an hour")).toBe(true);
      await write(scope);
      const { broken, unsealed: left } = await verifyPage(scope);
      expect({ broken, left }).toEqual({});
    },
  );
});
