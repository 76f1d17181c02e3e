// An organisation that is gone for good leaves nothing behind but what is declared to stay.
import { auth } from "~encore/clients";
import pg from "pg";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { AppDB } from "../../database";
import { membershipDelete, membershipInsert } from "../../auth/store/memberships";
import { purgeEnded } from "../../auth/upkeep";
import { systemQuery, withSystem, withTenant } from "../../db/tenant";
import { readTables } from "../../db/__tests__/catalogue";
import { registerCaller, runRelayAndWorkers, type RegisteredCaller } from "../../testing";
import { usageCountDocument } from "../store/usage";
import { ingest } from "../ingestion";
import { purgeTenant } from "../tenant-purge";
import { overridePut } from "../../flags/store";
import { putSecret } from "../../secrets/tenant-secret";
import { defineSaga } from "../../sagas/definition";
import { startSaga } from "../../sagas/start-saga";
import "../../flags/subscriptions";
import "../../sagas/subscriptions";
import "../../secrets/subscriptions";
import "../subscriptions";

/** Its jobs have no worker here: it is open when its organisation goes. */
const open = defineSaga({ name: "vectors:purged", version: 1, input: z.object({}) }).step("wait", {
  run: () => Promise.resolve(),
  undo: "nothing",
});

runRelayAndWorkers();

/** What stays for a while, why, and what removes it. */
const STAYS: Record<string, string> = {
  "audit.entry": "who deleted the organisation must be provable; AUDIT_KEEP_DAYS",
  "audit.head": "the end of that chain",
  "events.outbox": "what was said stays while it can be replayed; events' retention",
  "events.outbox_aggregate": "while something of it is unpublished",
  "events.inbox": "so that a late delivery does not act again; events' retention",
  "events.detour": "while what it notes is on its way to its consumer; events' retention",
  "events.dead_letter": "for who looks at what failed; events' retention",
  "queues.dead_letter": "for who looks at what failed; queues' retention",
  "queues.task": "for who looks at what became of a job, those of the purge among them; queues' retention",
  "queues.task_log": "what those tasks logged",
  "idempotency.request": "so that a request that is sent again does nothing twice; IDEMPOTENCY_KEEP_HOURS",
  "queues.flow": "while its children or its parent can be looked at; queues' retention",
  "queues.flow_child": "with its flow",
  "queues.tenant_gate": "until nothing has come for it for days; queues' retention",
  "queues.tenant_run": "while its job may run; queues' retention",
  "queues.tenant_turn": "while it is ahead of the queue's clock",
};

/** Rows of the tenant in every table of ours that has tenants. */
async function rowsOf(tenantId: string): Promise<Record<string, number>> {
  const client = new pg.Client(AppDB.connectionString);
  await client.connect();
  const tables = await readTables(client);
  await client.end();
  const found: Record<string, number> = {};
  for (const { name, has_tenant_id: hasTenant } of tables.filter(({ kind }) => kind === "r" || kind === "p")) {
    const column = hasTenant ? "tenant_id" : name === "auth.organisation" ? "id" : undefined;
    if (column === undefined) continue;
    const [row] = await systemQuery<{ n: number }>(
      "test",
      `select count(*)::int as n from ${name} where ${column} = $1`,
      [tenantId],
    );
    if (row !== undefined && row.n > 0) found[name] = row.n;
  }
  return found;
}

async function organisationWithEverything(): Promise<RegisteredCaller> {
  const owner = await registerCaller();
  const { tenantId } = owner;
  const text = (of: string): string => `## One\n\nOf ${of}.\n\n## Two\n\nShared.`;
  const { id: first } = await ingest(owner.principal, { source: "a.md", text: text("a") }, "m");
  for (const source of ["b.md", "c.md"]) await ingest(owner.principal, { source, text: text(source) }, "m");
  await ingest(owner.principal, { source: "a.md", text: "## One\n\nAnother." }, "m");
  await withSystem("test", (tx) => usageCountDocument(tx, tenantId, first));
  await withTenant(owner.principal, async (tx) => {
    await overridePut(tx, { tenantId, flag: "sqlSpans", value: "off", reason: "r", changedBy: "operator:x" });
    const id = await startSaga(tx, open, {});
    await tx.execute(
      "insert into sagas.step (tenant_id, saga_id, position, name, state) values ($1, $2, 0, 'wait', 'running')",
      [tenantId, id],
    );
  });
  await putSecret(owner, "key", "of the organisation");
  const { id: roleId } = await auth.createRole({ name: "Readers", permissions: ["document.read"] }, owner);
  const { id } = await auth.createServicePrincipal({ name: "ci", permissions: ["document.read"] }, owner);
  await auth.createApiKey({ name: "k", servicePrincipalId: id }, owner);
  await auth.createApiKey({ name: "k" }, owner);
  const left = { tenantId, accountId: (await registerCaller()).principal.subjectId };
  await withSystem("test", async (tx) => {
    await membershipInsert(tx, { ...left, role: "viewer", createdAt: new Date() });
    await membershipDelete(tx, left);
  });
  await auth.inviteMember({ email: `${crypto.randomUUID()}@example.com`, role: "custom", roleId }, owner);
  return owner;
}

const gone = [
  "auth.api_key",
  "auth.ended_membership",
  "auth.invitation",
  "auth.membership",
  "auth.organisation",
  "auth.role",
  "auth.service_principal",
  "flags.override",
  "sagas.saga",
  "sagas.step",
  "secrets.secret",
  "secrets.tenant_key",
  "vectors.chunk",
  "vectors.document",
  "vectors.embedding",
  "vectors.orphan_candidate",
  "vectors.usage",
];

test("the purge of an organisation empties every table of it but those that are declared to stay, and no other's", async () => {
  const [owner, neighbour] = [await organisationWithEverything(), await organisationWithEverything()];
  const kept = await rowsOf(neighbour.tenantId);
  expect(Object.keys(await rowsOf(owner.tenantId))).toEqual(expect.arrayContaining(gone));
  await systemQuery("test", "update auth.organisation set purge_at = now() where id = $1", [owner.tenantId]);
  expect(await purgeEnded()).toMatchObject({ organisations: 1 });
  await vi.waitFor(
    async () => {
      const left = Object.keys(await rowsOf(owner.tenantId)).filter((name) => !Object.hasOwn(STAYS, name));
      expect(left).toEqual([]);
    },
    { timeout: 50_000, interval: 100 },
  );
  const after = await rowsOf(neighbour.tenantId);
  expect(gone.map((name) => [name, after[name]])).toEqual(gone.map((name) => [name, kept[name]]));
});

test("a purge that runs out of time goes on where it was, and once more removes nothing else", async () => {
  const owner = await organisationWithEverything();
  const { tenantId } = owner;
  const budget = { statementTimeoutMs: 5_000, batchMax: 10 };
  expect(await purgeTenant(tenantId, { ...budget, totalMs: -1 })).toBe(false);
  expect(Object.keys(await rowsOf(tenantId))).toContain("vectors.document");
  expect(await purgeTenant(tenantId, { ...budget, totalMs: 60_000 })).toBe(true);
  expect(Object.keys(await rowsOf(tenantId)).filter((name) => name.startsWith("vectors."))).toEqual([]);
  expect(await purgeTenant(tenantId, { ...budget, totalMs: 60_000 })).toBe(true);
});
