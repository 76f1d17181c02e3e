// Statements whose outcome a body does not wait for: they travel with what comes next, and are as much of the transaction.
import type { PoolClient } from "pg";
import { describe, expect, it, vi } from "vitest";
import { tenantIdFrom, type TenantId } from "../../security/principal";
import { newId } from "../ids";
import { appPool } from "../pool";
import { tenantQuery, withTenant, type Tx } from "../tenant";
import { UnitOfWork } from "../unit-of-work";

const insertTurn = "insert into queues.tenant_turn (tenant_id, queue, finish_tag) values ($1, $2, 1)";
const queuesOf = "select queue from queues.tenant_turn order by queue";

const newTenant = (): { tenantId: TenantId } => ({ tenantId: tenantIdFrom(newId()) });
type Tenant = ReturnType<typeof newTenant>;
const later = (tx: Tx, { tenantId }: Tenant, queue: string): void => tx.executeLater(insertTurn, [tenantId, queue]);
const queues = async (of: Tenant): Promise<string[]> =>
  (await tenantQuery<{ queue: string }>(of, queuesOf)).map(({ queue }) => queue);

/** The connection that the next transaction takes, and how many messages that wait for an answer it was sent. */
interface Taken {
  client?: PoolClient;
  messages: number;
}

function nextConnection(): Taken {
  const taken: Taken = { messages: 0 };
  appPool().once("acquire", (client) => {
    taken.client = client;
    const wire = client.connection as unknown as { sync: () => void };
    const sync = wire.sync.bind(wire);
    wire.sync = () => {
      taken.messages++;
      sync();
    };
  });
  return taken;
}

describe("a statement that is sent later", () => {
  it("commits in one message where the body asks for nothing else", async () => {
    const one = newTenant();
    await queues(one);
    const connection = nextConnection();
    const hooks: string[] = [];
    await withTenant(one, async (tx) => {
      later(tx, one, "a");
      later(tx, one, "b");
      tx.afterCommit(() => hooks.push("committed"));
    });
    expect(hooks).toEqual(["committed"]);
    expect(connection.messages).toBe(1);
    expect(await queues(one)).toEqual(["a", "b"]);
  });

  it("is sent before the statement that follows it, and travels with COMMIT where none does", async () => {
    const one = newTenant();
    await withTenant(one, async (tx) => {
      later(tx, one, "a");
      expect(await tx.query(queuesOf)).toEqual([{ queue: "a" }]);
      await tx.execute("savepoint before_b");
      later(tx, one, "b");
      await tx.execute("rollback to savepoint before_b");
      later(tx, one, "c");
    });
    expect(await queues(one)).toEqual(["a", "c"]);
  });

  it.each(["before anything was sent", "behind other statements"])(
    "fails the commit when it fails, %s: nothing is written, and the connection is as good as before",
    async (when) => {
      const [one, other] = [newTenant(), newTenant()];
      const connection = nextConnection();
      const hooks: string[] = [];
      const work = withTenant(one, async (tx) => {
        if (when === "behind other statements") await tx.execute("set search_path = queues");
        later(tx, one, "a");
        later(tx, other, "foreign");
        tx.afterCommit(() => hooks.push("committed"));
      });
      await expect(work).rejects.toMatchObject({ kind: "insufficient_privilege" });
      expect(hooks).toEqual([]);
      expect([await queues(one), await queues(other)]).toEqual([[], []]);
      const { client } = connection;
      expect(client?.connection.stream.destroyed).toBe(false);
      const path = await appPool().query<{ search_path: string }>("show search_path");
      expect(path.rows[0]?.search_path).not.toBe("queues");
    },
  );

  it("is not sent before what was asked for before it, and not lost where that cannot be sent", async () => {
    const one = newTenant();
    await withTenant(one, async (tx) => {
      const before = tx.query(queuesOf);
      later(tx, one, "a");
      expect(await before).toEqual([]);
      await expect(tx.query("select $1", [{ n: 1n }])).rejects.toThrow(/BigInt/);
      expect(tx.unsent).toBe(1);
    });
    expect(await queues(one)).toEqual(["a"]);
    await withTenant(one, async (tx) => {
      await expect(tx.query("select $1", [{ n: 1n }])).rejects.toThrow(/BigInt/);
      later(tx, one, "b");
      expect(() => tx.executeLater("select $1", [{ n: 1n }])).toThrow(/BigInt/);
    });
    expect(await queues(one)).toEqual(["a", "b"]);
  });

  it("is sent by itself where the body waits for something else, and fails the commit where it fails", async () => {
    const [one, other] = [newTenant(), newTenant()];
    const waits = async (tx: Tx, of: Tenant): Promise<void> => {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      later(tx, of, "a");
      vi.advanceTimersByTime(1_000);
      vi.useRealTimers();
      expect(tx.unsent).toBe(0);
    };
    const connection = nextConnection();
    await withTenant(one, async (tx) => {
      await waits(tx, one);
      await expect.poll(() => connection.messages).toBe(1);
    });
    expect(await queues(one)).toEqual(["a"]);
    await expect(withTenant(one, (tx) => waits(tx, other))).rejects.toMatchObject({ kind: "transaction_aborted" });
    expect(await queues(other)).toEqual([]);
  });

  it("is no failure while it is under way, and one as soon as it is refused", async () => {
    const [one, other] = [newTenant(), newTenant()];
    const work = withTenant(one, async (tx) => {
      const asked = tx.query("select pg_sleep(0.05)");
      await new Promise(setImmediate);
      expect(tx.isAborted).toBe(false);
      await asked;
      later(tx, other, "foreign");
      await tx.query("select 1").catch(() => undefined);
      expect(tx.isAborted).toBe(true);
    });
    await expect(work).rejects.toMatchObject({ kind: "transaction_aborted" });
  });

  it("goes with a body that throws, and is refused when the body is over or the statement would end it", async () => {
    const one = newTenant();
    let kept: Tx | undefined;
    const work = withTenant(one, async (tx) => {
      kept = tx;
      later(tx, one, "a");
      throw new Error("no");
    });
    await expect(work).rejects.toThrow("no");
    expect(await queues(one)).toEqual([]);
    expect(() => kept?.executeLater(insertTurn, [one.tenantId, "late"])).toThrow(/transaction is over/);
    await withTenant(one, async (tx) => expect(() => tx.executeLater("commit")).toThrow(/begin or end/));
  });

  it("is written under its own scope where a unit of work holds the transaction, before the outcome is", async () => {
    const [one, two] = [newTenant(), newTenant()];
    const unit = await UnitOfWork.begin({ kind: "tenant", tenantId: two.tenantId }, async () => undefined);
    await unit.run(() => withTenant(one, async (tx) => later(tx, one, "a")));
    const isWritten = await unit.finish(async (tx) => void (await tx.execute(insertTurn, [two.tenantId, "outcome"])));
    expect([isWritten, await queues(one), await queues(two)]).toEqual([true, ["a"], ["outcome"]]);
  });
});
