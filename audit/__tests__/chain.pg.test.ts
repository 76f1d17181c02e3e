// Many connections at once: numbers without gaps, and no entry lost. Retention passes over what is locked.
import { EventEmitter, once } from "node:events";
import { describe, expect, test } from "vitest";
import { newId } from "../../db/ids";
import { systemQuery, withTenant } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { defineAction } from "../action";
import { record } from "../record";
import { purgeAudit } from "../retention";
import { entryList } from "../store";
import { verifyPage } from "../verify";
import { age } from "./ageing";

const done = defineAction("test.thing.done", { n: "plain" });

describe("writers of one tenant at once", () => {
  test("200 transactions, a third of them undone: the log has the others, in an unbroken chain", async () => {
    const scope = { tenantId: tenantIdFrom(newId()) };
    const outcomes = await Promise.allSettled(
      Array.from({ length: 200 }, (_, n) =>
        withTenant(scope, async (tx) => {
          await record(tx, done, { fields: { n } });
          if (n % 3 === 0) throw new Error("undone");
        }),
      ),
    );
    const committed = outcomes.filter(({ status }) => status === "fulfilled").length;
    expect(committed).toBe(133);
    expect(await verifyPage(scope)).toEqual({ checked: committed, through: committed, isDone: true });
  });
});

test("retention passes over an entry that somebody has locked: it is shown no more, is no break, and goes the next time", async () => {
  const scope = { tenantId: tenantIdFrom(newId()) };
  for (let n = 1; n <= 3; n++) await withTenant(scope, (tx) => record(tx, done, { fields: { n } }));
  const of = "where tenant_id = $1 and seq <= $2";
  await age(scope, 100, 2);
  const holder = new EventEmitter();
  const [locked, purged] = [once(holder, "locked"), once(holder, "purged")];
  const holding = withTenant(scope, async (tx) => {
    await tx.execute(`select from audit.entry ${of} for update`, [scope.tenantId, 1]);
    holder.emit("locked");
    await purged;
  });
  await locked;
  expect(await purgeAudit(95).finally(() => holder.emit("purged"))).toBe(1);
  await holding;
  expect((await systemQuery("test", `select seq from audit.entry ${of}`, [scope.tenantId, 2])).length).toBe(1);
  expect((await entryList(scope, undefined, 10, undefined)).rows.map(({ seq }) => seq)).toEqual([3]);
  expect(await verifyPage(scope)).toEqual({ checked: 1, through: 3, isDone: true });
  expect(await purgeAudit(95)).toBe(1);
  expect(await verifyPage(scope)).toEqual({ checked: 1, through: 3, isDone: true });
});
