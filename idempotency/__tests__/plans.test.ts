// A table of a day's requests at ten times the load: no request may read more of it than its own row. And what is sealed
// with a master key is counted before that key is retired.
import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { systemQuery, withSystem, withTenant, type Tx } from "../../db/tenant";
import { keyIdOf } from "../../security/derived-key";
import { tenantIdFrom, type TenantId } from "../../security/principal";
import { sealAnswer, useMasterKey } from "../answer";
import * as store from "../store";

/** What the statement of `ask` reads, as Postgres plans it where it has the choice of an index. */
async function planOf(tenantId: TenantId | null, ask: (tx: Tx) => Promise<unknown>): Promise<string> {
  const plans: string[] = [];
  const explaining = (tx: Tx): Tx => {
    const explain = async (text: string, params?: readonly unknown[]): Promise<never[]> => {
      const rows = await tx.query<Record<string, string>>(`explain ${text}`, params);
      plans.push(rows.map((row) => Object.values(row)[0]).join("\n"));
      return [];
    };
    return { ...tx, query: explain, execute: async (text, params) => (await explain(text, params)).length };
  };
  const run = async (tx: Tx): Promise<void> => {
    await tx.query("select set_config('enable_seqscan', 'off', true)");
    await ask(explaining(tx));
  };
  await (tenantId === null ? withSystem("test", run) : withTenant({ tenantId }, run));
  return plans.join("\n");
}

const claim = { leaseId: randomUUID(), fingerprint: Buffer.alloc(32), leaseMs: 1_000, keepSeconds: 60 };

test.each([["a tenant's caller", tenantIdFrom(randomUUID())] as const, ["a caller in none", null] as const])(
  "each statement of a request of %s finds its row by an index that holds no other",
  async (_who, tenantId) => {
    const name = { tenantId, principal: "user:1", keyHash: Buffer.alloc(32) };
    const statements: ((tx: Tx) => Promise<unknown>)[] = [
      (tx) => store.requestClaim(tx, name, claim),
      (tx) => store.requestFind(tx, name),
      (tx) => store.requestMarkEffect(tx, name, claim.leaseId),
      (tx) => store.requestHasEffect(tx, name, claim.leaseId),
      (tx) => store.requestAnswer(tx, name, claim.leaseId, null),
      (tx) => store.requestRelease(tx, name, claim.leaseId),
    ];
    const tenant = tenantId === null ? "tenant_id IS NULL" : `tenant_id = '${tenantId}'::uuid`;
    for (const statement of statements) {
      const plan = await planOf(tenantId, statement);
      const conditions = plan.split("\n").filter((line) => line.includes("Index Cond"));
      expect(conditions.length, plan).toBeGreaterThan(0);
      for (const line of conditions)
        if (!line.includes("lease_id = "))
          for (const part of [tenant, "principal = ", "key_hash = "]) expect(line, plan).toContain(part);
      expect(plan).not.toContain("Seq Scan");
    }
  },
);

test("answers are counted by the master key that sealed them, as long as they are given again", async () => {
  const secret = `a-master-key-of-this-test-alone-${randomUUID()}`;
  const keyId = keyIdOf(secret);
  useMasterKey(() => secret);
  const tenantId = tenantIdFrom(randomUUID());
  const name = { tenantId, principal: "user:1", keyHash: Buffer.alloc(32, 1) };
  await withTenant({ tenantId }, async (tx) => {
    await store.requestClaim(tx, name, claim);
    await store.requestAnswer(tx, name, claim.leaseId, { sealed: sealAnswer("{}", name, "k"), keyId });
  });
  const counted = async (): Promise<unknown[]> =>
    (await store.requestSealedCount()).filter((row) => row.keyId === keyId.toString("hex"));
  expect(await counted()).toEqual([{ what: "answers to Idempotency-Keys", keyId: keyId.toString("hex"), rows: 1 }]);
  await systemQuery("test", "update idempotency.request set expires_at = now() where tenant_id = $1", [tenantId]);
  expect(await counted()).toEqual([]);
});
