// Who may use a transaction, and until when. The attack: a statement that reaches the connection when the scope has
// ended runs as whatever the connection is, on the embedded database as a superuser who sees every tenant.
import type { PoolClient } from "pg";
import { describe, expect, it } from "vitest";
import { tenantIdFrom, type TenantId } from "../../security/principal";
import { newId } from "../ids";
import { appPool } from "../pool";
import { systemQuery, tenantQuery, withSystem, withTenant, type Tx } from "../tenant";
import { UnitOfWork } from "../unit-of-work";

const insertTurn = "insert into queues.tenant_turn (tenant_id, queue, finish_tag) values ($1, $2, 1)";
const countTurns = "select count(*) as n from queues.tenant_turn";
const misuse = { kind: "misuse" };

const newTenant = (): { tenantId: TenantId } => ({ tenantId: tenantIdFrom(newId()) });
const addTurn = (tx: Tx, { tenantId }: { tenantId: TenantId }, queue = "q"): Promise<number> =>
  tx.execute(insertTurn, [tenantId, queue]);
const outcome = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    (value) => ({ resolved: value }),
    (error: unknown) => error,
  );

/** Calls `fn` after so many turns of the microtask queue. */
async function afterTicks<T>(ticks: number, fn: () => Promise<T>): Promise<T> {
  for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
  return fn();
}

describe("a body that never settles", () => {
  it("loses its place in the pool when its connection ends, and nobody else waits for it", async () => {
    let held: PoolClient | undefined;
    appPool().once("acquire", (client) => (held = client));
    let tx: Tx | undefined;
    const work = withTenant(newTenant(), async (given) => {
      tx = given;
      await given.query("select 1");
      // As the server does with a transaction that idles too long.
      held?.connection.stream.destroy();
      return new Promise<never>(() => undefined);
    });
    await expect(work).rejects.toMatchObject({ kind: "unavailable" });
    expect(appPool().totalCount - appPool().idleCount).toBe(0);
    await expect(tx?.query("select 1")).rejects.toMatchObject(misuse);
    await expect(systemQuery("test", "select 1 as n")).resolves.toEqual([{ n: 1 }]);
  });
});

describe("a statement asked for when the body is over", () => {
  it("is refused at every moment of the commit", async () => {
    const one = newTenant();
    for (let ticks = 0; ticks < 24; ticks++) {
      let late: Promise<unknown> | undefined;
      const work = withTenant(one, async (tx) => {
        await tx.query("select 1");
        late = outcome(afterTicks(ticks, () => tx.query(countTurns)));
      });
      const ended = await outcome(work);
      const seen = await late;
      // Asked for just before the body's end it may be on its way: then nothing is committed.
      if (ticks > 4 || seen instanceof Error) expect(seen, `after ${ticks} ticks`).toMatchObject(misuse);
      else expect([seen, ended]).toMatchObject([{ resolved: [{ n: 0 }] }, misuse]);
    }
  });

  it("is refused while COMMIT travels, and the commit stands", async () => {
    const one = newTenant();
    let late: Promise<unknown> | undefined;
    await withTenant(one, async (tx) => {
      await addTurn(tx, one);
      setImmediate(() => (late = outcome(tx.query(countTurns))));
    });
    await expect.poll(() => late).toBeDefined();
    expect(await late).toMatchObject(misuse);
    expect(await tenantQuery(one, countTurns)).toEqual([{ n: 1 }]);
  });

  it("is refused at every moment of the rollback", async () => {
    const one = newTenant();
    for (let ticks = 0; ticks < 24; ticks++) {
      let late: Promise<unknown> | undefined;
      const work = withTenant(one, async (tx) => {
        await addTurn(tx, one);
        late = outcome(afterTicks(ticks, () => tx.query(countTurns)));
        throw new Error("no");
      });
      await expect(work).rejects.toThrow("no");
      // Asked for before the body had ended, it may be in flight already; then it ran inside, under the scope.
      const seen = await late;
      if (ticks > 4) expect(seen, `after ${ticks} ticks`).toMatchObject(misuse);
      else if (!(seen instanceof Error)) expect(seen).toEqual({ resolved: [{ n: 1 }] });
    }
    expect(await tenantQuery(one, countTurns)).toEqual([{ n: 0 }]);
  });

  it("is refused from a promise that outlives the body, however late, and so is a hook", async () => {
    const one = newTenant();
    let kept: Tx | undefined;
    await withTenant(one, async (tx) => {
      kept = tx;
      await tx.query("select 1");
    });
    const tx = kept as unknown as Tx;
    await expect(tx.query(countTurns)).rejects.toMatchObject(misuse);
    await expect(tx.execute(countTurns)).rejects.toMatchObject(misuse);
    expect(() => tx.afterCommit(() => undefined)).toThrow(/transaction is over/);
    await withTenant(newTenant(), async () => {
      await expect(tx.query(countTurns)).rejects.toMatchObject(misuse);
    });
  });

  it("does not end the process when nobody waits for it", async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): unknown => unhandled.push(error);
    process.on("unhandledRejection", note);
    try {
      const one = newTenant();
      let kept: Tx | undefined;
      await withTenant(one, async (tx) => {
        kept = tx;
        void tx.query("select 1 / 0");
        void tx.query("select 2");
      }).catch(() => undefined);
      void kept?.query(countTurns);
      await new Promise((resolve) => setImmediate(resolve));
      expect(unhandled).toEqual([]);
    } finally {
      process.off("unhandledRejection", note);
    }
  });
});

describe("a body that ends before its statements", () => {
  it("is rolled back, and what was not sent yet never is", async () => {
    const one = newTenant();
    const answers: Promise<unknown>[] = [];
    const work = withTenant(one, async (tx) => {
      await addTurn(tx, one, "first");
      for (const queue of ["second", "third"]) answers.push(outcome(addTurn(tx, one, queue)));
    });
    await expect(work).rejects.toMatchObject({ ...misuse, message: expect.stringContaining("2 statements") as string });
    const [, third] = await Promise.all(answers);
    expect(third).toMatchObject(misuse);
    expect(await tenantQuery(one, countTurns)).toEqual([{ n: 0 }]);
  });

  it("is rolled back also when nothing was asked for before, and names what failed", async () => {
    const one = newTenant();
    await expect(withTenant(one, async (tx) => void addTurn(tx, one))).rejects.toMatchObject(misuse);
    expect(await tenantQuery(one, countTurns)).toEqual([{ n: 0 }]);
    const failing = withSystem("test", async (tx) => void tx.query("select 1 / 0"));
    await expect(failing).rejects.toMatchObject({ ...misuse, cause: { sqlState: "22012" } });
  });

  it("keeps the error it threw itself", async () => {
    const work = withTenant(newTenant(), (tx) => Promise.all([tx.query("select 1 / 0"), tx.query(countTurns)]));
    await expect(work).rejects.toMatchObject({ sqlState: "22012" });
  });
});

describe("a statement that ends its transaction or leaves its role", () => {
  const refused = [
    "commit",
    "  COMMIT and chain",
    "/* a /* nested */ comment */ rollback",
    "-- a line\n end",
    "begin",
    "start transaction",
    "abort",
    "rollback work",
    "prepare transaction 'x'",
    "set role none",
    "set local role none",
    "reset role",
    "reset all",
    "set session authorization default",
    "discard all",
  ];

  it("is refused before it is sent, in a transaction and alone", async () => {
    const one = newTenant();
    for (const text of refused) {
      await expect(tenantQuery(one, text), text).rejects.toMatchObject(misuse);
      await expect(systemQuery("test", text), text).rejects.toMatchObject(misuse);
      await expect(
        withTenant(one, (tx) => tx.query(text)),
        text,
      ).rejects.toMatchObject(misuse);
    }
    // Nothing of it is left on the pool's connections.
    expect(
      await tenantQuery(
        one,
        "select row_security_active('events.outbox') as bound, pg_current_xact_id_if_assigned() as tx",
      ),
    ).toEqual([{ bound: true, tx: null }]);
  });

  it("leaves no connection inside a transaction to the next one, by whatever means it got there", async () => {
    const one = newTenant();
    const ways: Record<string, () => Promise<unknown>> = {
      "a statement alone": () => tenantQuery(one, "select 1"),
      "a statement alone that fails": () => tenantQuery(one, "select 1 / 0"),
      "the last of a transaction": () =>
        withTenant(one, (tx) => Promise.resolve(tx.executeLater(insertTurn, [one.tenantId, "q"]))),
    };
    for (const [way, act] of Object.entries(ways)) {
      let held: PoolClient | undefined;
      appPool().once("acquire", (client) => {
        held = client;
        client.getTransactionStatus = () => "T";
      });
      await expect(act(), way).rejects.toThrow();
      const next = await appPool().connect();
      next.release();
      expect(next, way).not.toBe(held);
    }
  });

  it("lets savepoints through, and words that only look like it", async () => {
    const one = newTenant();
    const seen = await withTenant(one, async (tx) => {
      await addTurn(tx, one, "kept");
      await tx.query("savepoint s");
      await addTurn(tx, one, "kept").catch(() => undefined);
      await tx.query("rollback to savepoint s");
      return tx.query(`with beginning as (${countTurns}) select n from beginning`);
    });
    expect(seen).toEqual([{ n: 1 }]);
  });
});

describe("a transaction's own time limit", () => {
  const shown = "select current_setting('statement_timeout') as ms";

  it("applies to its statements and to nobody after it", async () => {
    const long = { statementTimeoutMs: 61_000 };
    expect(await withSystem("test", (tx) => tx.query(shown), long)).toEqual([{ ms: "61s" }]);
    expect(await withTenant(newTenant(), (tx) => tx.query(shown), long)).toEqual([{ ms: "61s" }]);
    expect(await systemQuery("test", shown, [], long)).toEqual([{ ms: "61s" }]);
    expect(await withSystem("test", (tx) => tx.query(shown))).toEqual([{ ms: "5s" }]);
  });
});

describe("a unit of work", () => {
  const scope = { kind: "system", reason: "test" } as const;
  const begin = async (): Promise<{ unit: UnitOfWork; marks: { n: number } }> => {
    const marks = { n: 0 };
    const mark = (): Promise<void> => Promise.resolve(void marks.n++);
    return { unit: await UnitOfWork.begin(scope, mark), marks };
  };

  it("holds the last transaction, a single statement as well, until its outcome is written with it", async () => {
    const one = newTenant();
    const { unit, marks } = await begin();
    await unit.run(async () => {
      await withTenant(one, (tx) => addTurn(tx, one, "first"));
      await tenantQuery(one, insertTurn, [one.tenantId, "second"]);
    });
    expect(marks.n).toBe(1);
    const ran: string[] = [];
    const isWritten = await unit.finish(async (tx) => {
      tx.afterCommit(() => ran.push("hook"));
      expect(
        await tx.query("select count(*)::int as n from queues.tenant_turn where tenant_id = $1", [one.tenantId]),
      ).toEqual([{ n: 2 }]);
      ran.push("last");
    });
    expect([isWritten, ran]).toEqual([true, ["last", "hook"]]);
    expect(await tenantQuery(one, countTurns)).toEqual([{ n: 2 }]);
  });

  it("commits what begins when it is over as always, and writes nothing of its own where none is held", async () => {
    const one = newTenant();
    const { unit, marks } = await begin();
    expect(await unit.finish(() => Promise.reject(new Error("not asked")))).toBe(false);
    await unit.run(() => withTenant(one, (tx) => addTurn(tx, one)));
    expect(await tenantQuery(one, countTurns)).toEqual([{ n: 1 }]);
    expect(marks.n).toBe(0);
  });

  it("holds no longer than a moment where its outcome does not come, and marks what it commits then", async () => {
    const one = newTenant();
    const { unit, marks } = await begin();
    await unit.run(() => withTenant(one, (tx) => addTurn(tx, one)));
    await expect.poll(() => tenantQuery(one, countTurns)).toEqual([{ n: 1 }]);
    expect(marks.n).toBe(1);
    expect(await unit.finish(() => Promise.reject(new Error("not asked")))).toBe(false);
  });

  it("undoes the transaction with which its outcome cannot be written", async () => {
    const one = newTenant();
    const { unit } = await begin();
    await unit.run(() => withTenant(one, (tx) => addTurn(tx, one)));
    await expect(unit.finish(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await tenantQuery(one, countTurns)).toEqual([{ n: 0 }]);
  });
});

describe("the pool's connections", () => {
  it("are given back outside of any transaction", async () => {
    await Promise.all(Array.from({ length: 5 }, () => withSystem("test", (tx) => tx.query("select 1"))));
    const client = await appPool().connect();
    try {
      expect(client.getTransactionStatus()).toBe("I");
    } finally {
      client.release();
    }
  });

  it("are given up where the server says that it goes away, and kept where a statement fails", async () => {
    const raise = (state: string): string => `do $$ begin raise exception using errcode = '${state}'; end $$`;
    const removed: unknown[] = [];
    const note = (client: unknown): unknown => removed.push(client);
    appPool().on("remove", note);
    try {
      for (const fail of [
        (state: string) => systemQuery("test", raise(state)),
        (state: string) => withSystem("test", (tx) => tx.query(raise(state))),
      ]) {
        removed.length = 0;
        await expect(fail("22012")).rejects.toMatchObject({ sqlState: "22012" });
        expect(removed).toHaveLength(0);
        await expect(fail("57P01")).rejects.toMatchObject({ kind: "unavailable" });
        await expect.poll(() => removed.length).toBe(1);
      }
    } finally {
      appPool().off("remove", note);
    }
  });
});
