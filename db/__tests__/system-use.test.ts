// Whoever acts outside of any tenant leaves a trace: db.system_use.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { purgeAudit } from "../../audit/retention";
import { systemReasons, type SystemReason } from "../../security/system-reasons";
import { newId } from "../ids";
import { systemUseList, systemUsePurge } from "../store";
import { systemUse } from "../system-use";
import { systemQuery, tenantQuery, withSystem, withTenant } from "../tenant";
import { UseCounter, type CountedUse } from "../use-counter";
import { tenantIdFrom } from "../../security/principal";

const HOUR_MS = 3_600_000;

async function countOf(reason: string): Promise<number> {
  await systemUse().flush();
  const now = Date.now();
  const rows = await withSystem("test", (tx) =>
    systemUseList(tx, new Date(now - 2 * HOUR_MS), new Date(now + HOUR_MS), 1000),
  );
  return rows.filter((row) => row.reason === reason).reduce((sum, { uses }) => sum + uses, 0);
}

describe("every use of the system's scope", () => {
  test("is counted under its reason and hour, whether it commits or not; a tenant's is not", async () => {
    const before = await countOf("mailbox-list");
    await withSystem("mailbox-list", (tx) => tx.query("select 1"));
    await systemQuery("mailbox-list", "select 1");
    await expect(systemQuery("mailbox-list", "select 1 / 0")).rejects.toThrow();
    await withTenant({ tenantId: tenantIdFrom(newId()) }, (tx) => tx.query("select 1"));
    expect(await countOf("mailbox-list")).toBe(before + 3);
    expect(await countOf("mailbox-list")).toBe(before + 3);
  });

  test("is refused for a reason that nobody declared", async () => {
    const invented = "because-i-can" as SystemReason;
    const misuse = { kind: "misuse", message: expect.stringContaining("security/system-reasons.ts") as string };
    await expect(withSystem(invented, (tx) => tx.query("select 1"))).rejects.toMatchObject(misuse);
    await expect(systemQuery("toString" as SystemReason, "select 1")).rejects.toMatchObject(misuse);
  });

  test.each([
    ["count one down", "update db.system_use set uses = 1 where uses > 1"],
    ["move one to another hour", "update db.system_use set hour = hour - interval '1 hour'"],
    ["delete one", "delete from db.system_use"],
  ])("stays: no statement of the app can %s", async (_what, sql) => {
    for (let n = 0; n < 2; n++) await systemQuery("mailbox-find", "select 1");
    await systemUse().flush();
    await expect(systemQuery("test", sql)).rejects.toMatchObject({ kind: "insufficient_privilege" });
    expect(
      await tenantQuery({ tenantId: tenantIdFrom(newId()) }, "select 1 from db.system_use"),
      "a tenant sees none",
    ).toEqual([]);
  });

  test("is kept as long as the audit log", async () => {
    const at = "date_trunc('hour', now() - interval '100 days')";
    await systemQuery(
      "test",
      `insert into db.system_use (hour, reason, uses, last_at) select ${at} - n * interval '1 hour', 'test', 1, ${at} from generate_series(1, 5) n`,
    );
    const budget = { statementTimeoutMs: 5_000, totalMs: 5_000, batchMax: 2 };
    expect(await purgeAudit(102, budget)).toBe(0);
    expect(await purgeAudit(95, budget)).toBe(5);
  });

  test("is kept for the 90 days that the table insists on, whoever asks for fewer", async () => {
    const at = "date_trunc('hour', now() - interval '2139 hours')";
    const add = `insert into db.system_use (hour, reason, uses, last_at) values (${at}, 'test', 1, ${at})`;
    await systemQuery("test", add);
    await withSystem("system-use-purge", (tx) => systemUsePurge(tx, 80, 1000));
    expect(
      await systemQuery("test", `select uses::int from db.system_use where hour = ${at} and reason = 'test'`),
    ).toEqual([{ uses: 1 }]);
  });
});

describe("counts", () => {
  let written: CountedUse[][];
  let fails: boolean;
  const make = (everyMs: number | null): UseCounter =>
    new UseCounter((uses) => {
      written.push([...uses]);
      return fails ? Promise.reject(new Error("away")) : Promise.resolve();
    }, everyMs);

  beforeEach(() => {
    vi.useFakeTimers();
    written = [];
    fails = false;
  });
  afterEach(() => vi.useRealTimers());

  const times = (use: UseCounter, n: number, reason: SystemReason): void => {
    for (let i = 0; i < n; i++) use.note(reason);
  };
  const writing = { reason: "note-system-use", uses: 1 };

  test("of ten thousand uses are one writing, and nothing is written while nothing is used", async () => {
    const use = make(10_000);
    times(use, 10_000, "relay-claim");
    times(use, 3, "sign-in");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(written).toEqual([[{ reason: "relay-claim", uses: 10_000 }, { reason: "sign-in", uses: 3 }, writing]]);
    use.note("note-system-use");
    await vi.advanceTimersByTimeAsync(100_000);
    expect(written).toHaveLength(1);
    use.note("sign-in");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(written[1]).toEqual([{ reason: "sign-in", uses: 1 }, writing]);
  });

  test("that cannot be written are kept and tried again, with what came meanwhile", async () => {
    const use = make(10_000);
    fails = true;
    times(use, 2, "sign-in");
    await vi.advanceTimersByTimeAsync(10_000);
    times(use, 1, "sign-in");
    fails = false;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(written).toEqual([
      [{ reason: "sign-in", uses: 2 }, writing],
      [{ reason: "sign-in", uses: 3 }, writing],
    ]);
  });

  test("are written once by two who ask at once", async () => {
    const use = make(null);
    use.note("sign-in");
    await Promise.all([use.flush(), use.flush()]);
    expect(written).toHaveLength(1);
  });
});

test("each declared reason is used by the app, and that of tests is not", () => {
  const root = join(import.meta.dirname, "../..");
  const rooms = [
    "audit",
    "auth",
    "db",
    "events",
    "flags",
    "idempotency",
    "mail",
    "queues",
    "sagas",
    "secrets",
    "services",
    "vectors",
    "telemetry",
  ];
  const sources = rooms.flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts") && !file.includes("__tests__"))
      .map((file) => readFileSync(join(root, room, file), "utf8")),
  );
  const isUsed = (reason: string): boolean => sources.some((source) => source.includes(`"${reason}"`));
  expect(Object.keys(systemReasons).filter((reason) => !isUsed(reason))).toEqual([]);
  expect(sources.filter((source) => /(?:withSystem|systemQuery)(?:<[^(]*>)?\(\s*"test"/.test(source))).toEqual([]);
});
