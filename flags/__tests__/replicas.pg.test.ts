// Overrides on several replicas, on a real server: where transactions overlap, and one commits late.
import { newId } from "../../db/ids";
import { systemQuery, withSystem, withTenant } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { expect, test } from "vitest";
import { OverrideMemory } from "../memory";
import { overridePut } from "../store";

const REPLICAS = 3;
const CHANGES = 200;
/** Each round of them waits for the next look of the slowest replica. */
const AT_ONCE = 40;
const put = (
  flag: string,
  value: string | null,
): { flag: string; value: string | null; reason: string; changedBy: string } => ({
  ...{ flag, value, reason: "of a test", changedBy: "operator:test" },
});

test("each of three replicas goes by a change within two seconds, and by each of many that overlap", async () => {
  const replicas = Array.from({ length: REPLICAS }, () => new OverrideMemory());
  for (const replica of replicas) replica.start();
  await Promise.all(replicas.map((replica) => replica.refresh()));
  const tenants = Array.from({ length: CHANGES }, () => tenantIdFrom(newId()));
  let slowest = 0;
  const change = async (n: number): Promise<void> => {
    const tenantId = tenants[n]!;
    await withTenant({ tenantId }, async (tx) => {
      await overridePut(tx, { tenantId, ...put("sqlSpans", "off") });
      // Some end after others that began later.
      if (n % 7 === 0) await tx.query("select pg_sleep(0.2)");
    });
    const committedAtMs = performance.now();
    await expect
      .poll(() => replicas.map((replica) => replica.valueOf(tenantId, "sqlSpans")), { timeout: 120_000, interval: 20 })
      .toEqual(replicas.map(() => "off"));
    slowest = Math.max(slowest, performance.now() - committedAtMs);
  };
  for (let n = 0; n < CHANGES; n += AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, CHANGES - n) }, (_, of) => change(n + of)));
  process.stdout.write(
    `flags: ${CHANGES} changes on ${REPLICAS} replicas, the slowest seen after ${Math.round(slowest)} ms\n`,
  );
});

test("what commits late is seen, and of two who set one flag at once the second is told what the first set", async () => {
  const [tenantId, memory] = [tenantIdFrom(newId()), new OverrideMemory()];
  await memory.refresh();
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  let began: () => void = () => undefined;
  const hasBegun = new Promise<void>((resolve) => (began = resolve));
  const late = withSystem("test", async (tx) => {
    const before = await overridePut(tx, { tenantId, ...put("sqlSpans", "off") });
    began();
    await held;
    return before;
  });
  await hasBegun;
  // Later ones come and are seen before it.
  const other = tenantIdFrom(newId());
  await withTenant({ tenantId: other }, (tx) => overridePut(tx, { tenantId: other, ...put("sqlSpans", "names") }));
  await memory.refresh();
  await memory.refresh();
  expect([memory.valueOf(tenantId, "sqlSpans"), memory.valueOf(other, "sqlSpans")]).toEqual([undefined, "names"]);
  const second = withTenant({ tenantId }, (tx) => overridePut(tx, { tenantId, ...put("sqlSpans", "text") }));
  await expect
    .poll(() => systemQuery("test", "select 1 from pg_locks where locktype = 'advisory' and not granted"))
    .not.toEqual([]);
  release();
  expect(await Promise.all([late, second])).toEqual([null, "off"]);
  await memory.refresh();
  expect(memory.valueOf(tenantId, "sqlSpans")).toBe("text");
});
