// Work that is done later, for somebody who is gone: a tenant's event or job that names another tenant's things must not
// make the app, which may do everything, act on them. Every event of the catalogue and every job is tried; one that is
// added is tried without being named here. Whoever can bend a statement in a tenant's transaction can write such rows.
import { beforeAll, expect, test, vi } from "vitest";
import { z } from "zod";
import { auth } from "~encore/clients";
import { mailJob } from "../../auth/jobs";
import { register } from "../../auth/registration";
import { readAccessToken } from "../../auth/tokens";
import { catalog } from "../../events/catalog";
import { emit } from "../../events/outbox";
import { enqueue } from "../../queues/enqueue";
import { allWorkers, countJobs } from "../../queues/factory";
import type { JobDefinition } from "../../queues/job";
import { putSecret } from "../../secrets/tenant-secret";
import { principalFrom, type AuthData, type TenantId } from "../../security/principal";
import { runRelayAndWorkers } from "../../testing";
import { ingest } from "../../vectors/ingestion";
import { embedJob, purgeJob } from "../../vectors/jobs";
import { splitJob } from "../../vectors/split-job";
import { systemQuery, tenantQuery, withSystem, withTenant } from "../tenant";
import { allRows } from "./all-rows";
import { ownerPool } from "./owner";
import { differences, type Victim } from "./victim";
import "../../secrets/subscriptions";
import "../../vectors/subscriptions";

runRelayAndWorkers();

/** A second round of everything is for `npm run test:pg`. */
const isNative = process.env.GROUNDWORK_TEST_POSTGRES_URL !== undefined;
const MARKER = "zanzibarquartz";
const jobs = [embedJob, mailJob, purgeJob, splitJob] as unknown as readonly JobDefinition[];

interface Tenant {
  authData: AuthData;
  tenantId: TenantId;
  documentId: string;
  /** By what they are ids of. */
  ids: Record<string, string>;
}

async function makeTenant(word: string): Promise<Tenant> {
  const email = `${word}-${crypto.randomUUID()}@example.com`;
  const { accessToken } = await register({ email, password: crypto.randomUUID(), organisation: word }, new Date());
  const authData = await readAccessToken(accessToken, new Date());
  const principal = principalFrom(authData);
  const { tenantId } = principal;
  const { id: documentId } = await ingest(principal, { source: `${word}.md`, text: `## ${word}\n\nOf ${word}.` }, "m");
  await putSecret(principal, word, `the secret of ${word}`);
  const role = await auth.createRole({ name: word, permissions: ["document.read"] }, { authData });
  const machine = await auth.createServicePrincipal({ name: word, permissions: ["document.read"] }, { authData });
  const key = await auth.createApiKey({ name: word }, { authData });
  const invitation = await auth.inviteMember({ email: `guest-${email}`, role: "viewer" }, { authData });
  return {
    authData,
    tenantId,
    documentId,
    ids: {
      organisationId: tenantId,
      userId: authData.userID,
      accountId: authData.userID,
      ownerId: authData.userID,
      sessionId: authData.sessionId ?? "",
      documentId,
      roleId: role.id,
      servicePrincipalId: machine.id,
      keyId: key.id,
      invitationId: invitation.id,
    },
  };
}

interface Shape {
  type?: string | string[];
  format?: string;
  minLength?: number;
  const?: unknown;
  enum?: unknown[];
  properties?: Record<string, Shape>;
  items?: Shape;
  anyOf?: Shape[];
  oneOf?: Shape[];
}

/** All payloads that name `ids` wherever the schema takes an id, one for each alternative. */
function payloads(shape: Shape, ids: Record<string, string>, name = ""): unknown[] {
  const alternatives = shape.oneOf ?? shape.anyOf;
  if (alternatives !== undefined) return alternatives.flatMap((one) => payloads(one, ids, name));
  if (shape.const !== undefined) return [shape.const];
  if (shape.enum !== undefined) return shape.enum;
  const type = Array.isArray(shape.type) ? shape.type[0] : shape.type;
  if (type === "object")
    return Object.entries(shape.properties ?? {}).reduce<object[]>(
      (made, [key, property]) =>
        payloads(property, ids, key).flatMap((value) => made.map((rest) => ({ ...rest, [key]: value }))),
      [{}],
    );
  if (type === "array") return payloads(shape.items ?? {}, ids, name).map((value) => [value]);
  return [type === "string" ? textFor(shape, ids, name) : PLAIN[type ?? ""]];
}

const PLAIN: Record<string, unknown> = { integer: 1, number: 1, boolean: true, null: null };

function textFor({ format, minLength = 0 }: Shape, ids: Record<string, string>, name: string): string | undefined {
  if (format === "uuid") return ids[name] ?? ids.documentId;
  return format === "date-time" ? "2026-01-01T00:00:00Z" : "document.read".padEnd(minLength, "0");
}

const shapeOf = (schema: z.ZodType): Shape => z.toJSONSchema(schema, { io: "input" }) as Shape;

const isIdle = async (): Promise<void> => {
  const [row] = await systemQuery<{ n: number }>(
    "test",
    // On a database that all suites share, others have left theirs.
    "select count(*)::int as n from events.outbox where published_at is null and created_at >= $1",
    [startedAt],
  );
  expect(row?.n).toBe(0);
  for (const { name } of jobs)
    expect(
      Object.values(await countJobs(name, "waiting", "active", "delayed")).every((n) => n === 0),
      name,
    ).toBe(true);
};

/** All that was asked for before is done: the consumers take an event of each kind that is right, after it. */
async function settle(): Promise<void> {
  const gone = await makeTenant("sentinel");
  await vi.waitFor(isIdle, { timeout: 90_000, interval: 50 });
  const about = { aggregateType: "organisation", aggregateId: gone.tenantId, tenantId: null };
  const deleted = catalog.get("auth.organisation.deleted@1")!;
  await withSystem("test", (tx) => emit(tx, deleted, { organisationId: gone.tenantId }, about));
  const left = async (): Promise<void> => {
    for (const table of ["vectors.document", "secrets.secret"]) {
      const rows = await systemQuery("test", `select 1 from ${table} where tenant_id = $1`, [gone.tenantId]);
      expect(rows, table).toHaveLength(0);
    }
    await isIdle();
  };
  await vi.waitFor(left, { timeout: 90_000, interval: 50 });
}

let startedAt: Date;
let victim: Tenant;
let attacker: Tenant;
let judged: Victim;

beforeAll(async () => {
  [{ startedAt }] = (await systemQuery("test", 'select now() as "startedAt"', [])) as [{ startedAt: Date }];
  victim = await makeTenant(MARKER);
  attacker = await makeTenant("attacker");
  await settle();
  judged = {
    marker: MARKER,
    ids: [victim.tenantId, victim.authData.userID],
    attackers: [attacker.tenantId],
  };
});

/** Everything that a tenant's transaction can ask for, about the victim's things. */
async function attempt(): Promise<number> {
  let attempts = 0;
  await withTenant(attacker, async (tx) => {
    for (const event of catalog.values())
      for (const payload of payloads(shapeOf(event.payload), victim.ids)) {
        attempts++;
        await emit(tx, event, payload, { aggregateType: "any", aggregateId: crypto.randomUUID() });
      }
    for (const job of jobs)
      for (const payload of payloads(shapeOf(job.payload), victim.ids)) {
        attempts++;
        await enqueue(tx, job, payload);
      }
  });
  await settle();
  return attempts;
}

async function withoutRowSecurity<T>(act: () => Promise<T>): Promise<T> {
  const { rows } = await ownerPool().query<{ name: string }>(
    "select oid::regclass::text as name from pg_class where relrowsecurity",
  );
  const turn = async (word: "enable" | "disable"): Promise<void> => {
    for (const { name } of rows) await ownerPool().query(`alter table ${name} ${word} row level security`);
  };
  await turn("disable");
  try {
    return await act();
  } finally {
    await turn("enable");
  }
}

test("no event and no job of a tenant acts on another tenant whose things it names", async () => {
  expect(jobs.map(({ name }) => name).sort()).toEqual(
    allWorkers()
      .map(({ jobName }) => jobName)
      .sort(),
  );
  const before = await allRows();
  expect(await attempt()).toBeGreaterThan(60);
  expect(differences(before, await allRows(), judged)).toEqual([]);
});

test.runIf(isNative)(
  "nor without row security: whoever acts later asks for the tenant by itself",
  async () => {
    const before = await allRows();
    await withoutRowSecurity(async () => {
      const { tenantId } = victim;
      const counted = "select count(*)::int as n from vectors.document where tenant_id = $1";
      // It is off: another tenant's scope sees the victim's.
      expect(await tenantQuery(attacker, counted, [tenantId])).toEqual([{ n: 1 }]);
      expect(await attempt()).toBeGreaterThan(60);
    });
    expect(differences(before, await allRows(), judged)).toEqual([]);
  },
  60_000,
);

test("what a tenant asks for itself is done, and what would be a leak is seen", async () => {
  const before = await allRows();
  const { invitationId = "", documentId = "" } = victim.ids;
  await withTenant(victim, (tx) => enqueue(tx, mailJob, { kind: "invitation", invitationId }));
  await vi.waitFor(isIdle, { timeout: 90_000, interval: 50 });
  const seen = differences(before, await allRows(), judged);
  expect(seen.map((line) => line.split(":")[0])).toEqual(expect.arrayContaining(["auth.invitation", "mail.message"]));
  const planted = async (statement: string, params: unknown[]): Promise<string[]> => {
    const was = await allRows();
    await systemQuery("test", statement, params);
    return differences(was, await allRows(), judged);
  };
  expect(await planted("update vectors.document set title = 'x' where id = $1", [documentId])).toHaveLength(2);
  expect(await planted("delete from vectors.usage where tenant_id = $1", [victim.tenantId])).not.toEqual([]);
});
