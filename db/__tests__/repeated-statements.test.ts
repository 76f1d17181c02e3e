// A statement that a transaction asks for again and again is read by the server once, and known to it no longer than that.
import { describe, expect, it } from "vitest";
import { tenantIdFrom } from "../../security/principal";
import { newId } from "../ids";
import { tenantQuery, withTenant, type Tx } from "../tenant";
import { nextSent, type Sent } from "./sent-messages";

const ADD = "insert into queues.tenant_turn (tenant_id, queue, finish_tag) values ($1, $2, 1)";
const QUEUES = "select queue from queues.tenant_turn order by queue";
const PREPARED = "select count(*)::int as n from pg_prepared_statements where statement = any($1::text[])";

const newTenant = () => ({ tenantId: tenantIdFrom(newId()) });
type Tenant = ReturnType<typeof newTenant>;
const add = (tx: Tx, { tenantId }: Tenant, queue: string): Promise<number> => tx.execute(ADD, [tenantId, queue]);
const later = (tx: Tx, { tenantId }: Tenant, queue: string): void => tx.executeLater(ADD, [tenantId, queue]);
const queues = async (of: Tenant): Promise<string> =>
  (await tenantQuery<{ queue: string }>(of, QUEUES)).map(({ queue }) => queue).join("");
const readings = ({ parsed }: Sent): number => parsed.filter(({ text }) => text === ADD).length;
/** Statements that the server still knows. */
const known = async (of: Tenant): Promise<unknown> => tenantQuery(of, PREPARED, [[ADD, QUEUES]]);

describe("a statement that its transaction repeats", () => {
  it("is read twice, however often it is asked for, and forgotten with the commit", async () => {
    const one = newTenant();
    await known(one);
    const sent = nextSent();
    await withTenant(one, async (tx) => {
      for (const queue of "abcdefgh") {
        await add(tx, one, queue);
        await tx.query(QUEUES);
      }
      expect(await tx.query(PREPARED, [[ADD, QUEUES]])).toEqual([{ n: 2 }]);
    });
    expect(readings(sent)).toBe(2);
    expect(await queues(one)).toBe("abcdefgh");
    expect(await known(one)).toEqual([{ n: 0 }]);
    expect(sent.closed).toHaveLength(2);
  });

  it("is read twice within one message too", async () => {
    const one = newTenant();
    await known(one);
    for (const isBehindOthers of [false, true]) {
      const sent = nextSent();
      await withTenant(one, async (tx) => {
        if (isBehindOthers) await tx.query("select 1");
        for (const queue of isBehindOthers ? "efgh" : "abcd") later(tx, one, queue);
      });
      expect(readings(sent)).toBe(2);
    }
    expect(await queues(one)).toBe("abcdefgh");
    expect(await known(one)).toEqual([{ n: 0 }]);
  });

  it("is read again where the message in which it got its name failed", async () => {
    const one = newTenant();
    await withTenant(one, async (tx) => {
      await add(tx, one, "a");
      await tx.execute("savepoint before_b");
      tx.executeLater("select 1 / $1::int", [0]);
      await expect(add(tx, one, "b")).rejects.toMatchObject({ sqlState: "22012" });
      await tx.execute("rollback to savepoint before_b");
      for (const queue of "cde") await add(tx, one, queue);
    });
    expect(await queues(one)).toBe("acde");
    expect(await known(one)).toEqual([{ n: 0 }]);
  });

  it.each(["rolled back", "refused with its commit"])("is forgotten when the transaction is %s", async (how) => {
    const one = newTenant();
    await known(one);
    const sent = nextSent();
    const work = withTenant(one, async (tx) => {
      for (const queue of "abc") await add(tx, one, queue);
      if (how === "rolled back") throw new Error("no");
      later(tx, newTenant(), "foreign");
      later(tx, one, "d");
    });
    await expect(work).rejects.toThrow();
    expect(readings(sent)).toBeGreaterThan(0);
    expect(await queues(one)).toBe("");
    expect(await known(one)).toEqual([{ n: 0 }]);
  });
});
