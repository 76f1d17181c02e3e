// Which uses of a connection end with a reset of its session: all but those that asked for plain statements only.
import { describe, expect, it } from "vitest";
import { tenantIdFrom } from "../../security/principal";
import { newId } from "../ids";
import { isPlain, joinPlain, plainParameter, plainSql } from "../plain-statement";
import { systemQuery, tenantQuery, withTenant, type Tx } from "../tenant";
import { UnitOfWork } from "../unit-of-work";
import { nextSent } from "./sent-messages";

const ADD = plainSql`insert into queues.tenant_turn (tenant_id, queue, finish_tag) values ($1, $2, 1)`;
const COUNT = plainSql`select count(*)::int as n from queues.tenant_turn where tenant_id = $1`;
const LEAVE = "select set_config('app.left_behind', 'here', false)";
const LEFT = "select coalesce(current_setting('app.left_behind', true), '') as left";

const newTenant = () => ({ tenantId: tenantIdFrom(newId()) });

/** Whether the session was reset behind the work. */
async function isReset(work: () => Promise<unknown>): Promise<boolean> {
  const sent = nextSent();
  await work();
  expect(sent.client).toBeDefined();
  return sent.simple.some((text) => text.startsWith("RESET ALL"));
}

describe("a plain statement", () => {
  it("is made of plain texts only", () => {
    const column = plainSql`tenant_id`;
    expect(plainSql`select ${column} from queues.tenant_turn`).toBe("select tenant_id from queues.tenant_turn");
    expect(() => plainSql`select '${newId()}'`).toThrow(/plain texts only/);
  });

  it("is joined of plain texts and parameters only", () => {
    const parts = [plainSql`select 7 where 7 =`, plainParameter(1), plainSql`::int`];
    const text = joinPlain(parts);
    expect(text).toBe("select 7 where 7 = $1 ::int");
    expect(isPlain(text)).toBe(true);
    expect(() => joinPlain([...parts, "or true"])).toThrow(/plain texts only/);
    expect(() => joinPlain([text])).toThrow(/plain texts only/);
    for (const number of [0, 1.5, 65_536, Number.NaN]) expect(() => plainParameter(number)).toThrow(/has a number/);
  });

  it("is forgotten, where it was joined, behind two thousand others, and is served all the same", async () => {
    const one = newTenant();
    const [select, plus, from] = [plainSql`select 7`, plainSql`+ 7`, plainSql`as n`];
    const joined = (ones: number): string => joinPlain([select, ...Array.from({ length: ones }, () => plus), from]);
    for (let ones = 0; ones < 2_001; ones++) joined(ones);
    expect([isPlain(joined(2_000)), isPlain(joined(1))]).toEqual([true, true]);
    expect(isPlain("select 7 as n")).toBe(false);
    expect(await tenantQuery(one, joined(0))).toEqual([{ n: 7 }]);
    expect(isPlain("select 7")).toBe(true);
  });

  it("is known by its whole text", async () => {
    const one = newTenant();
    await tenantQuery(one, COUNT, [one.tenantId]);
    expect(await isReset(() => tenantQuery(one, `${COUNT} `, [one.tenantId]))).toBe(true);
    expect(await isReset(() => tenantQuery(one, COUNT, [one.tenantId]))).toBe(false);
  });
});

describe("a session", () => {
  const one = newTenant();
  const add = (tx: Tx): Promise<number> => tx.execute(ADD, [one.tenantId, newId()]);

  it("needs no reset behind a transaction of plain statements", async () => {
    await tenantQuery(one, COUNT, [one.tenantId]);
    expect(await isReset(() => withTenant(one, async (tx) => void (await add(tx))))).toBe(false);
    expect(await isReset(() => withTenant(one, async (tx) => tx.executeLater(ADD, [one.tenantId, newId()])))).toBe(
      false,
    );
    expect(await tenantQuery(one, COUNT, [one.tenantId])).toEqual([{ n: 2 }]);
  });

  it.each<[string, (tx: Tx) => Promise<unknown> | void]>([
    ["before them", async (tx) => tx.query("select 1").then(() => add(tx))],
    ["behind them", async (tx) => add(tx).then(() => tx.execute("select 1"))],
    ["and is sent with the commit", async (tx) => add(tx).then(() => tx.executeLater("select 1"))],
    ["and is the only one", (tx) => tx.executeLater("select 1")],
  ])("is reset where another statement stands %s", async (_where, body) => {
    expect(await isReset(() => withTenant(one, async (tx) => void (await body(tx))))).toBe(true);
  });

  it("is reset behind a unit's last words, whatever its transaction asked for", async () => {
    const unit = await UnitOfWork.begin({ kind: "system", reason: "test" }, () => Promise.resolve());
    const work = async (): Promise<void> => {
      await unit.run(() => withTenant(one, async (tx) => void (await add(tx))));
      await unit.finish(async (tx) => void (await tx.query(LEAVE)));
    };
    expect(await isReset(work)).toBe(true);
  });

  it("is reset behind a plain statement that failed", async () => {
    const other = newTenant();
    const foreign = (): Promise<unknown> => withTenant(one, (tx) => tx.execute(ADD, [other.tenantId, "foreign"]));
    expect(await isReset(() => expect(foreign()).rejects.toMatchObject({ kind: "insufficient_privilege" }))).toBe(true);
  });

  it("keeps nothing of whoever used it, when plain uses followed", async () => {
    const sent = nextSent();
    await withTenant(one, (tx) => tx.query(LEAVE));
    for (let use = 0; use < 3; use++) await tenantQuery(one, COUNT, [one.tenantId]);
    expect(await systemQuery("test", LEFT)).toEqual([{ left: "" }]);
    expect(sent.bound.length).toBeGreaterThan(3);
  });
});
