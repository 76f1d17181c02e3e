// Many connections at once: numbers without gaps, and no entry lost.
import { describe, expect, test } from "vitest";
import { newId } from "../../db/ids";
import { withTenant } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { defineAction } from "../action";
import { record } from "../record";
import { verifyPage } from "../verify";

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
