import { describe, expect, test, vi } from "vitest";
import { explaining } from "../../db/__tests__/explaining";
import { newId } from "../../db/ids";
import { systemQuery, tenantQuery, withSystem, withTenant, type TenantScope } from "../../db/tenant";
import { onBehalfOf } from "../../security/provenance";
import { tenantIdFrom } from "../../security/principal";
import { defineAction } from "../action";
import { endLog, eraseAccount, eraseAddresses } from "../erasure";
import { record } from "../record";
import { purgeAudit } from "../retention";
import { entryErase, entryList, entryPage } from "../store";
import { verifyPage, type Verification } from "../verify";
import { age } from "./ageing";
import { pastTriggers } from "./past-triggers";

const renamed = defineAction("test.thing.renamed", { count: "plain", name: "personal" });
const newTenant = (): TenantScope => ({ tenantId: tenantIdFrom(newId()) });

async function write(scope: TenantScope, count: number, target = newId()): Promise<void> {
  for (let n = 1; n <= count; n++)
    await withTenant(scope, (tx) =>
      record(tx, renamed, { target: { type: "thing", id: target }, fields: { count: n, name: `Ada ${n}` } }),
    );
}

const tamper = (sql: string, params: unknown[]): Promise<void> => pastTriggers([sql], params);

async function verifyAll(scope: TenantScope): Promise<Verification> {
  let page = await verifyPage(scope);
  while (!page.isDone) page = await verifyPage(scope, page.through);
  return page;
}

describe("an organisation's audit log", () => {
  test("holds what was recorded, by whom and from which request, in numbers without gaps", async () => {
    const scope = newTenant();
    await onBehalfOf("user:ada", () => write(scope, 3));
    const { rows } = await entryList(scope, undefined, 10, undefined);
    expect(rows.map(({ seq, actor, action, fields, personal }) => ({ seq, actor, action, fields, personal }))).toEqual(
      [3, 2, 1].map((n) => ({
        seq: n,
        actor: "user:ada",
        action: "test.thing.renamed",
        fields: { count: n },
        personal: { name: `Ada ${n}` },
      })),
    );
    expect(await verifyAll(scope)).toEqual({ checked: 3, through: 3, isDone: true });
    expect(await verifyAll(newTenant())).toEqual({ checked: 0, through: 0, isDone: true });
  });

  test("has no entry of a transaction that did not commit, and no gap for it", async () => {
    const scope = newTenant();
    await write(scope, 1);
    await expect(
      withTenant(scope, async (tx) => {
        await record(tx, renamed, { fields: { count: 9, name: null } });
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    await write(scope, 1);
    expect((await entryList(scope, undefined, 10, undefined)).rows.map(({ seq }) => seq)).toEqual([2, 1]);
    expect((await verifyAll(scope)).broken).toBeUndefined();
  });

  test("takes texts that Postgres could not store", async () => {
    const scope = newTenant();
    await withTenant(scope, (tx) =>
      record(tx, renamed, { fields: { count: 1e21, name: `a\0b\ud800${"x".repeat(5_000)}` } }),
    );
    const { rows } = await entryList(scope, undefined, 1, undefined);
    expect(rows[0]?.personal?.name).toBe(`a\ufffdb\ufffd${"x".repeat(996)}`);
    expect((await verifyAll(scope)).broken).toBeUndefined();
  });

  test("is written from a system transaction that says whose it is, and from no other", async () => {
    const facts = { fields: { count: 1, name: null } };
    const unsaid = withSystem("test", (tx) => record(tx, renamed, facts));
    await expect(unsaid).rejects.toThrow("without saying whose log it goes into");
    const scope = newTenant();
    await withSystem("test", (tx) => record(tx, renamed, { ...facts, ...scope }));
    expect(await verifyAll(scope)).toEqual({ checked: 1, through: 1, isDone: true });
  });

  test("takes no action whose name is of another form", () => {
    for (const name of ["renamed", "Test.thing.renamed", "test.thing", "test..x", "a.b.c.d"])
      expect(() => defineAction(name, {})).toThrow("service.noun.verb");
  });

  test("lists one action alone, page by page, and another tenant's never", async () => {
    const [scope, other] = [newTenant(), newTenant()];
    await write(scope, 3);
    await write(other, 1);
    const first = await entryList(scope, renamed.name, 2, undefined);
    expect(first.rows.map(({ seq }) => seq)).toEqual([3, 2]);
    expect((await entryList(scope, "test.thing.made", 10, undefined)).rows).toEqual([]);
  });
});

describe("somebody who can write the tables", () => {
  const of = (seq: number): string => `where tenant_id = $1 and seq = ${seq}`;
  const changed = (seq: number): object => ({ seq, what: "changed" });
  const missing = (seq: number): object => ({ seq, what: "missing" });

  test.for([
    ["changes a field", [`update audit.entry set fields = '{"count": 7}' ${of(2)}`], changed(2)],
    ["changes who acted", [`update audit.entry set actor = 'user:eve' ${of(2)}`], changed(2)],
    ["moves an entry in time", [`update audit.entry set at = at + interval '1 microsecond' ${of(2)}`], changed(2)],
    ["changes what is personal", [`update audit.entry set personal = '{"name": "Eve"}' ${of(2)}`], changed(2)],
    ["removes an entry", [`delete from audit.entry ${of(2)}`], missing(2)],
    ["removes the first", [`delete from audit.entry ${of(1)}`], missing(1)],
    ["removes the last", [`delete from audit.entry ${of(3)}`], missing(3)],
    ["sets the end back alone", ["update audit.head set seq = 2 where tenant_id = $1"], changed(2)],
    [
      "exchanges two",
      [2, 3]
        .map((seq) => `update audit.entry set seq = ${105 - seq} ${of(seq)}`)
        .concat([102, 103].map((seq) => `update audit.entry set seq = ${seq - 100} ${of(seq)}`)),
      changed(2),
    ],
  ] as const)("and %s is found out", async ([, statements, broken]) => {
    const scope = newTenant();
    await write(scope, 3);
    for (const sql of statements) await tamper(sql, [scope.tenantId]);
    expect(await verifyAll(scope)).toMatchObject({ isDone: true, broken });
  });

  test("and adds one is found out", async () => {
    const scope = newTenant();
    await write(scope, 2);
    await tamper(
      `insert into audit.entry select tenant_id, 3, $2, at, action, actor, target_type, target_id, correlation_id, fields, personal, personal_digest, hash
         from audit.entry where tenant_id = $1 and seq = 2`,
      [scope.tenantId, newId()],
    );
    await tamper("update audit.head set seq = 3 where tenant_id = $1", [scope.tenantId]);
    expect(await verifyAll(scope)).toMatchObject({ broken: { seq: 3, what: "changed" } });
  });

  const forged = (seq: string, at: string): string =>
    `insert into audit.entry select tenant_id, ${seq}, gen_random_uuid(), ${at}, action, 'user:eve', target_type, target_id, correlation_id, fields, personal, personal_digest, hash
      from audit.entry where tenant_id = $1 order by audit.entry.seq desc limit 1`;

  test.each([
    ["in front of what is kept", 3, 2],
    ["behind its end", 1, 5],
  ])("and puts one %s by a statement of the app: it is found out, and shown nowhere", async (_where, keptFrom, seq) => {
    const scope = newTenant();
    await write(scope, 4);
    await tamper("update audit.entry set at = at - interval '100 days' where tenant_id = $1 and seq < $2", [
      scope.tenantId,
      keptFrom,
    ]);
    await purgeAudit(95);
    await tenantQuery(scope, forged(String(seq), "at"), [scope.tenantId]);
    expect(await verifyAll(scope)).toMatchObject({ isDone: true, broken: { seq, what: "added" } });
    const shown = [
      await entryList(scope, undefined, 10, undefined),
      await entryList(scope, renamed.name, 10, undefined),
      await withTenant(scope, (tx) => entryPage(tx, scope.tenantId, 10, undefined)),
    ].map(({ rows }) => rows.map((row) => row.seq));
    const kept = [4, 3, 2, 1].filter((number) => number >= keptFrom);
    expect(shown).toEqual([kept, kept, kept]);
  });

  test("and puts a young one in the place of one past 90 days does not end retention: the log stays broken", async () => {
    const scope = newTenant();
    await write(scope, 3);
    const of = [scope.tenantId];
    await tamper("update audit.entry set at = at - interval '100 days' where tenant_id = $1 and seq <= 2", of);
    await tenantQuery(scope, "delete from audit.entry where tenant_id = $1 and seq = 1", of);
    await tenantQuery(scope, forged("1", "at"), of);
    expect(await purgeAudit(95)).toBe(1);
    expect(await verifyAll(scope)).toMatchObject({ isDone: true, broken: { seq: 1, what: "changed" } });
  });

  test.each([
    ["change an entry", "update audit.entry set actor = 'user:eve' where tenant_id = $1"],
    ["change what is personal", `update audit.entry set personal = '{"name": "Eve"}' where tenant_id = $1`],
    ["delete a young entry", "delete from audit.entry where tenant_id = $1"],
    ["put one below the first", forged("0", "at")],
    ["put one at no time", forged("2", "'infinity'")],
    [
      "let the log begin behind a young entry",
      "update audit.head set kept_from = seq + 1, kept_after = hash where tenant_id = $1",
    ],
    ["let the log begin behind its end", "update audit.head set kept_from = seq + 2 where tenant_id = $1"],
    ["let the log begin earlier", "update audit.head set kept_from = 0 where tenant_id = $1"],
    ["let the log begin with another hash", "update audit.head set kept_after = hash where tenant_id = $1"],
    ["set the log's end back", "update audit.head set seq = seq - 1 where tenant_id = $1"],
    ["pass over a number", "update audit.head set seq = seq + 2 where tenant_id = $1"],
    ["set the log's clock back", "update audit.head set at = at - interval '1 second' where tenant_id = $1"],
    ["remove the log's head", "delete from audit.head where tenant_id = $1"],
    ["give the log away", "update audit.head set tenant_id = gen_random_uuid() where tenant_id = $1"],
  ])("cannot %s by a statement of the app", async (_what, sql) => {
    const scope = newTenant();
    await write(scope, 1);
    await expect(tenantQuery(scope, sql, [scope.tenantId])).rejects.toMatchObject({ kind: "insufficient_privilege" });
    await expect(systemQuery("test", sql, [scope.tenantId])).rejects.toMatchObject({ kind: "insufficient_privilege" });
    expect(await verifyAll(scope)).toMatchObject({ checked: 1 });
  });
});

describe("what is kept", () => {
  test("of a person can be erased, and the chain holds", async () => {
    const scope = newTenant();
    const [gone, stays] = [newId(), newId()];
    await write(scope, 2, gone);
    await write(scope, 1, stays);
    expect(await withTenant(scope, (tx) => entryErase(tx, scope.tenantId, gone))).toBe(2);
    const { rows } = await entryList(scope, undefined, 10, undefined);
    expect(rows.map(({ personal }) => personal)).toEqual([{ name: "Ada 1" }, null, null]);
    expect((await verifyAll(scope)).broken).toBeUndefined();
  });

  test("of the log ends after the retention, in batches, and what is left still holds", async () => {
    const scope = newTenant();
    await write(scope, 5);
    await age(scope, 100, 3);
    const budget = { statementTimeoutMs: 5_000, totalMs: 10_000, batchMax: 2 };
    expect(await purgeAudit(101, budget)).toBe(0);
    expect(await purgeAudit(95, budget)).toBe(3);
    expect((await entryList(scope, undefined, 10, undefined)).rows.map(({ seq }) => seq)).toEqual([5, 4]);
    expect(await verifyAll(scope)).toEqual({ checked: 2, through: 5, isDone: true });
    await write(scope, 1);
    expect(await verifyAll(scope)).toEqual({ checked: 3, through: 6, isDone: true });
  });

  test("is kept by the clock that its moments come from, although the process's is ahead", async () => {
    const scope = newTenant();
    await write(scope, 2);
    await age(scope, 96, 1);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 10 * 86_400_000 });
    expect(await purgeAudit(100).finally(() => vi.useRealTimers())).toBe(0);
    expect(await verifyAll(scope)).toEqual({ checked: 2, through: 2, isDone: true });
  });

  test("of an organisation that is gone ends with its last entry; of one that is there the end is kept", async () => {
    const [gone, there] = [newTenant(), newTenant()];
    const heads = (): Promise<unknown[]> =>
      systemQuery("test", "select tenant_id as id from audit.head where tenant_id = any($1::uuid[]) order by 1", [
        [gone.tenantId, there.tenantId],
      ]);
    for (const scope of [gone, there]) await write(scope, 2);
    await withSystem("test", (tx) => endLog(tx, gone.tenantId));
    for (const scope of [gone, there]) await age(scope, 100, 1);
    await purgeAudit(95);
    expect(await heads()).toHaveLength(2);
    for (const scope of [gone, there]) await age(scope, 100);
    expect(await purgeAudit(95)).toBe(3);
    expect(await heads()).toEqual([{ id: there.tenantId }]);
    await write(there, 1);
    expect(await verifyAll(there)).toEqual({ checked: 1, through: 3, isDone: true });
  });

  test("of a person is found by index, by whomever the entries are, as the app's role too", async () => {
    const plans = await withSystem("test", async (tx) => {
      await tx.execute("set local enable_seqscan = off");
      const explained = explaining(tx);
      await eraseAddresses(explained.tx, ["ada@example.com"]);
      await eraseAccount(explained.tx, newId());
      return explained.plans;
    });
    expect(plans).toHaveLength(2);
    expect(plans[0]).toContain("entry_address");
    expect(plans[1]).toContain("entry_target");
    expect(plans[1]).toContain("entry_invitation");
    for (const plan of plans) expect(plan).not.toContain("Seq Scan");
  });

  test("is listed by index, also between the ends of the chain", async () => {
    const scope = newTenant();
    const plans = await withTenant(scope, async (tx) => {
      await tx.execute("set local enable_seqscan = off");
      await tx.execute("set local enable_bitmapscan = off");
      await tx.execute("set local enable_sort = off");
      const explained = explaining(tx);
      await entryPage(explained.tx, scope.tenantId, 50, undefined);
      return explained.plans;
    });
    expect(plans[0]).toContain("Index Scan Backward using entry_newest");
    expect(plans[0]).not.toMatch(/Sort|Seq Scan/);
  });

  test("is checked in pages, each beginning where the one before ended", async () => {
    const scope = newTenant();
    await write(scope, 7);
    expect(await verifyPage(scope, 0, 5)).toEqual({ checked: 5, through: 5, isDone: false });
    expect(await verifyPage(scope, 5, 5)).toEqual({ checked: 2, through: 7, isDone: true });
    expect(await verifyPage(scope, 0, 7)).toEqual({ checked: 7, through: 7, isDone: true });
    await tamper("update audit.entry set actor = 'user:eve' where tenant_id = $1 and seq = 6", [scope.tenantId]);
    expect((await verifyPage(scope, 0, 5)).broken).toBeUndefined();
    expect(await verifyPage(scope, 5, 5)).toMatchObject({ broken: { seq: 6, what: "changed" } });
  });

  test("is read again when the log went on between the reads, and not for ever", async () => {
    const scope = newTenant();
    await write(scope, 2);
    const broken = { seq: 2, what: "unsealed" } as const;
    let judged = 0;
    const once = async (): Promise<Pick<Verification, "broken">> => {
      if (judged++ > 0) return {};
      await write(scope, 1);
      return { broken };
    };
    expect(await verifyPage(scope, 0, 10, once)).toEqual({ checked: 3, through: 3, isDone: true });
    expect(judged).toBe(2);
    let looks = 0;
    const always = async (): Promise<Pick<Verification, "broken">> => {
      if (looks++ < 20) await write(scope, 1);
      return { broken };
    };
    expect(await verifyPage(scope, 0, 100, always)).toMatchObject({ broken });
    expect(looks).toBeLessThan(10);
  });

  test("is held by its end, also where that ends a full page", async () => {
    const scope = newTenant();
    await write(scope, 5);
    await tamper("update audit.head set seq = 4 where tenant_id = $1", [scope.tenantId]);
    expect(await verifyPage(scope, 0, 4)).toMatchObject({ broken: { seq: 4, what: "changed" } });
  });
});
