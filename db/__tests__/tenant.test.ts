import { describe, expect, it } from "vitest";
import { newId } from "../ids";
import { DbError, isUniqueViolation } from "../errors";
import { systemQuery, tenantQuery, withSystem, withTenant, type Tx } from "../tenant";
import { tenantIdFrom, type TenantId } from "../../security/principal";
import { renderPrometheus } from "../../telemetry/metrics";

const insertTurn = "insert into queues.tenant_turn (tenant_id, queue, finish_tag) values ($1, $2, $3)";
const countTurns = "select count(*) as n from queues.tenant_turn";

function newTenant(): { tenantId: TenantId } {
  return { tenantId: tenantIdFrom(newId()) };
}

async function addTurn(tx: Tx, tenantId: string, queue = "q"): Promise<void> {
  await tx.execute(insertTurn, [tenantId, queue, 1]);
}

describe("withTenant", () => {
  it("shows a tenant its own rows and nobody else's, also without a WHERE", async () => {
    const [one, other] = [newTenant(), newTenant()];
    await withTenant(one, (tx) => addTurn(tx, one.tenantId));
    await withTenant(other, (tx) => addTurn(tx, other.tenantId));

    const seen = await withTenant(one, (tx) =>
      tx.query<{ tenant_id: string }>("select tenant_id from queues.tenant_turn"),
    );
    expect(seen).toEqual([{ tenant_id: one.tenantId }]);
    expect(await tenantQuery(one, countTurns)).toEqual([{ n: 1 }]);
    expect(
      await withTenant(one, (tx) =>
        tx.execute("update queues.tenant_turn set finish_tag = 9 where tenant_id = $1", [other.tenantId]),
      ),
    ).toBe(0);
  });

  it("refuses to write a row of another tenant", async () => {
    const [one, other] = [newTenant(), newTenant()];
    await expect(withTenant(one, (tx) => addTurn(tx, other.tenantId))).rejects.toMatchObject({
      kind: "insufficient_privilege",
    });
    await expect(tenantQuery(one, insertTurn, [other.tenantId, "q", 1])).rejects.toMatchObject({
      kind: "insufficient_privilege",
    });
  });

  it("leaves no scope behind for the next user of the connection", async () => {
    const one = newTenant();
    await withTenant(one, (tx) => addTurn(tx, one.tenantId));
    const nobody = { tenantId: "" as TenantId };
    expect(await tenantQuery(nobody, countTurns)).toEqual([{ n: 0 }]);
    await withSystem("test", (tx) => tx.query("select 1"));
    expect(await tenantQuery(nobody, countTurns)).toEqual([{ n: 0 }]);
  });

  it("commits what it did, rolls back when the body throws", async () => {
    const one = newTenant();
    await expect(
      withTenant(one, async (tx) => {
        await addTurn(tx, one.tenantId);
        throw new Error("changed my mind");
      }),
    ).rejects.toThrow("changed my mind");
    expect(await tenantQuery(one, countTurns)).toEqual([{ n: 0 }]);
  });

  it("reports a transaction that Postgres had already given up, instead of a commit that was none", async () => {
    const one = newTenant();
    const work = withTenant(one, async (tx) => {
      await addTurn(tx, one.tenantId);
      await addTurn(tx, one.tenantId).catch(() => undefined);
    });
    await expect(work).rejects.toMatchObject({ kind: "transaction_aborted" });
    expect(await tenantQuery(one, countTurns)).toEqual([{ n: 0 }]);
  });

  it("runs statements asked for at once one after the other, in order", async () => {
    const one = newTenant();
    const tags = await withTenant(one, async (tx) => {
      await Promise.all([1, 2, 3].map((tag) => tx.execute(insertTurn, [one.tenantId, `q${tag}`, tag])));
      return tx.query<{ finish_tag: number }>("select finish_tag from queues.tenant_turn order by updated_at, queue");
    });
    expect(tags.map((row) => row.finish_tag)).toEqual([1, 2, 3]);
  });

  it("runs the after-commit hooks only after a commit, and survives one that throws", async () => {
    const one = newTenant();
    const calls: string[] = [];
    await withTenant(one, async (tx) => {
      tx.afterCommit(() => {
        throw new Error("hook");
      });
      tx.afterCommit(() => calls.push("committed"));
      await tx.query("select 1");
      expect(calls).toEqual([]);
    });
    await withTenant(one, async (tx) => {
      tx.afterCommit(() => calls.push("rolled back"));
      await tx.query("select 1 / 0");
    }).catch(() => undefined);
    expect(calls).toEqual(["committed"]);
  });

  it("throws at once when the body asks for a second connection, instead of waiting for ever", async () => {
    const one = newTenant();
    const second: [string, () => Promise<unknown>][] = [
      ["withTenant", () => withTenant(one, async () => undefined)],
      ["withSystem", () => withSystem("test", async () => undefined)],
      ["tenantQuery", () => tenantQuery(one, countTurns)],
      ["systemQuery", () => systemQuery("test", countTurns)],
    ];
    for (const [name, open] of second) {
      await expect(withTenant(one, async () => open())).rejects.toMatchObject({
        kind: "misuse",
        message: expect.stringMatching(`^${name} inside a transaction`) as string,
      });
    }
  });

  it("throws when the handle is used after the transaction is over", async () => {
    let kept: Tx | undefined;
    await withTenant(newTenant(), async (tx) => {
      kept = tx;
      await tx.query("select 1");
    });
    await expect(kept?.query("select 1")).rejects.toMatchObject({ kind: "misuse" });
  });

  it("does the whole body again after a serialization failure, three times at most, and counts how often one failed", async () => {
    const conflicts = async (kind: string): Promise<number> =>
      Number(
        new RegExp(`^db_transaction_conflicts_total{kind="${kind}"} (\\d+)`, "m").exec(await renderPrometheus())?.[1] ??
          0,
      );
    const before = [await conflicts("serialization_failure"), await conflicts("deadlock")];
    let runs = 0;
    const result = await withTenant(newTenant(), async (tx) => {
      runs++;
      if (runs < 3) await tx.query("do $$ begin raise exception using errcode = '40001'; end $$");
      return "done";
    });
    expect([result, runs]).toEqual(["done", 3]);

    runs = 0;
    const hopeless = withTenant(newTenant(), async (tx) => {
      runs++;
      await tx.query("do $$ begin raise exception using errcode = '40P01'; end $$");
    });
    await expect(hopeless).rejects.toMatchObject({ kind: "deadlock" });
    expect(runs).toBe(3);
    const after = [await conflicts("serialization_failure"), await conflicts("deadlock")];
    expect(after.map((count, at) => count - (before[at] ?? 0))).toEqual([2, 3]);
  });
});

describe("a snapshot", () => {
  it("reads and refuses to change anything", async () => {
    const one = newTenant();
    await withTenant(one, (tx) => addTurn(tx, one.tenantId));
    const seen = await withTenant(one, (tx) => tx.query(countTurns), { isSnapshot: true });
    expect(seen).toEqual([{ n: 1 }]);
    const writing = withTenant(one, (tx) => addTurn(tx, one.tenantId, "other"), { isSnapshot: true });
    await expect(writing).rejects.toMatchObject({ sqlState: "25006" });
    await withTenant(one, (tx) => addTurn(tx, one.tenantId, "after"));
  });
});

describe("withSystem", () => {
  it("sees the rows of every tenant", async () => {
    const [one, other] = [newTenant(), newTenant()];
    const queue = `system ${one.tenantId}`;
    await withTenant(one, (tx) => addTurn(tx, one.tenantId, queue));
    await withTenant(other, (tx) => addTurn(tx, other.tenantId, queue));
    expect(await systemQuery("test", `${countTurns} where queue = $1`, [queue])).toEqual([{ n: 2 }]);
  });
});

describe("values", () => {
  it("reads bigint as number where exact and as bigint where not, dates as text, json as it was", async () => {
    const [row] = await tenantQuery(
      newTenant(),
      "select 42::int8 as small, 9007199254740993::int8 as large, date '2026-02-03' as day, $1::jsonb as json, null as nothing",
      [{ a: [1] }],
    );
    expect(row).toEqual({ small: 42, large: 9007199254740993n, day: "2026-02-03", json: { a: [1] }, nothing: null });
  });

  it("leaves the connection usable when a parameter cannot be encoded or a statement is wrong", async () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    const one = newTenant();
    await expect(tenantQuery(one, "select $1::jsonb", [cycle])).rejects.toThrow(/circular/i);
    await expect(tenantQuery(one, "select nonsense")).rejects.toBeInstanceOf(DbError);
    await expect(withTenant(one, (tx) => tx.query("select 'x'::uuid"))).rejects.toMatchObject({
      kind: "invalid_value",
      sqlState: "22P02",
    });
    expect(await tenantQuery(one, "select 1 as one")).toEqual([{ one: 1 }]);
  });
});

describe("errors", () => {
  it("names the constraint of a unique violation", async () => {
    const one = newTenant();
    await withTenant(one, (tx) => addTurn(tx, one.tenantId));
    const error: unknown = await withTenant(one, (tx) => addTurn(tx, one.tenantId)).catch((thrown: unknown) => thrown);
    expect(isUniqueViolation(error, "tenant_turn_pkey")).toBe(true);
    expect(isUniqueViolation(error, "other")).toBe(false);
  });
});
