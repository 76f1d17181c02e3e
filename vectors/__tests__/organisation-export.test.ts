// An organisation's export: all of it that may be taken along, nothing of anybody else, no secret, bounded memory, and the
// end of it when who began it may not have it any more.
import { auth } from "~encore/clients";
import { createHash } from "node:crypto";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import pg from "pg";
import { describe, expect, test } from "vitest";
import { readTables } from "../../db/__tests__/catalogue";
import { AppDB } from "../../database";
import { NdjsonWriter } from "../../audit/ndjson";
import { beginExport, writeExport, type ExportOptions } from "../../auth/organisation-export";
import { signOut } from "../../auth/sessions";
import { systemQuery, withTenant } from "../../db/tenant";
import { declaredExports } from "../../db/tenant-export";
import { PAGE_BYTES } from "../../db/tenant-export-page";
import { overridePut } from "../../flags/store";
import { putSecret } from "../../secrets/tenant-secret";
import { reasonOf } from "../../security/errors";
import { registerCaller, type RegisteredCaller } from "../../testing";
import { ingest } from "../ingestion";
import "../../auth/store/export";
import "../../events/store/export";
import "../../queues/store/export";
import "../../sagas/store/export";
import "../../services/ai/store/tenant";
import "../../services/assets/store/export";
import "../../services/notifications/store/export";
import "../../services/records/store/export";
import "../store/export";

interface Exported {
  head: Record<string, unknown> & { tables: Record<string, { columns: string[]; personal: string[] }> };
  rows: { table: string; row: Record<string, unknown> }[];
  end: { rows: number; tables: Record<string, number>; consistent: boolean; sha256: string };
  written: string;
}

const always: ExportOptions = { reading: { mayGoOn: () => Promise.resolve(true) } };
const inPages: ExportOptions = { ...always, snapshotBytes: 0 };

async function exported({ principal, tenantId }: RegisteredCaller, options: ExportOptions): Promise<Exported> {
  await beginExport(principal, tenantId);
  const out = new PassThrough();
  const [written] = await Promise.all([text(out), writeExport(principal, out, new Date(), options)]);
  const lines = written.trimEnd().split("\n");
  const parsed = lines.map((line) => JSON.parse(line) as unknown);
  return {
    head: parsed[0] as Exported["head"],
    rows: parsed.slice(1, -1) as Exported["rows"],
    end: parsed.at(-1) as Exported["end"],
    written,
  };
}

const SECRET = "of the organisation, and long enough to be shown in part";

/** Something in every table that is exported. */
async function organisation(): Promise<{ owner: RegisteredCaller; key: string }> {
  const owner = await registerCaller();
  await ingest(owner.principal, { source: "a.md", text: "## One\n\nOf mine." }, "m");
  await putSecret(owner, "smtp", SECRET);
  const override = { flag: "sqlSpans", value: "off", reason: "r", changedBy: "operator:x" };
  await withTenant(owner, (tx) => overridePut(tx, { tenantId: owner.tenantId, ...override }));
  const { id: roleId } = await auth.createRole({ name: "Readers", permissions: ["document.read"] }, owner);
  await auth.createServicePrincipal({ name: "ci", permissions: ["document.read"] }, owner);
  const domain = `d${crypto.randomUUID()}.example`;
  await systemQuery(
    "test",
    "insert into auth.domain (id, tenant_id, name, token) values (gen_random_uuid(), $1, $2, repeat('t', 43))",
    [owner.tenantId, domain],
  );
  await systemQuery(
    "test",
    `insert into auth.identity_provider (id, tenant_id, issuer, client_id, default_role, is_required)
     values (gen_random_uuid(), $1, 'https://id.example.com', 'groundwork', 'viewer', false)`,
    [owner.tenantId],
  );
  await systemQuery(
    "test",
    `with content as (insert into assets.content (id, tenant_id, sha256, bytes, parts) values (gen_random_uuid(), $1, sha256('a'), 1, 1) returning id),
          file as (insert into assets.asset (id, tenant_id, name, status) values (gen_random_uuid(), $1, 'a.md', 'stored') returning id)
     insert into assets.version (tenant_id, asset_id, version, content_id, media_type, created_by)
     select $1, file.id, 1, content.id, 'text/markdown', 'user:x' from file, content`,
    [owner.tenantId],
  );
  await systemQuery(
    "test",
    `with budget as (insert into ai.budget (tenant_id, name, subject, period, limit_micro_usd, enforcement) values ($1, 'b', 'organisation', 'day', 1, 'hard'))
     insert into ai.usage (id, tenant_id, subject, kind, provider, model, key_of, price_list, outcome, input_tokens, output_tokens, cost_micro_usd)
     values (gen_random_uuid(), $1, 'user:x', 'generate', 'p', 'm', 'organisation', 1, 'answered', 1, 1, 1)`,
    [owner.tenantId],
  );
  await systemQuery(
    "test",
    `with category as (insert into records.category (tenant_id, id, name, created_at, updated_at) values ($1, gen_random_uuid(), 'c', now(), now()))
     insert into records.product (tenant_id, id, sku, name, price_minor, currency, stock, created_at, updated_at)
     values ($1, gen_random_uuid(), 's', 'p', 1, 'EUR', 1, now(), now())`,
    [owner.tenantId],
  );
  await systemQuery(
    "test",
    `with sent as (insert into notifications.notification (tenant_id, id, category, content, sender)
                   values ($1, gen_random_uuid(), 'c', '{"title": "t", "body": "b"}', 'user:x') returning id),
          recipient as (insert into notifications.recipient (tenant_id, user_id, notification_id) select $1, $2, id from sent),
          delivery as (insert into notifications.delivery (tenant_id, id, notification_id, user_id, channel, state)
                       select $1, gen_random_uuid(), id, $2, 'in_app', 'delivered' from sent),
          preference as (insert into notifications.preference (tenant_id, user_id, settings) values ($1, $2, '{}')),
          browser as (insert into notifications.push_subscription (tenant_id, id, user_id, endpoint, endpoint_hash, p256dh, auth, vapid_key_id)
                        values ($1, gen_random_uuid(), $2, 'https://push.example.com/x', '', '', '', '')),
          template as (insert into notifications.template (tenant_id, id, name, language, title, body) values ($1, gen_random_uuid(), 'n', 'en', 't', 'b')),
          subscriber as (insert into notifications.topic_subscriber (tenant_id, topic, user_id) values ($1, 't', $2))
     insert into notifications.policy (tenant_id, settings) values ($1, '{}')`,
    [owner.tenantId, owner.authData.userID],
  );
  await systemQuery(
    "test",
    `insert into records.account (tenant_id, id, code, name, kind, created_at, updated_at)
     values ($1, gen_random_uuid(), 'a', 'a', 'asset', now(), now())`,
    [owner.tenantId],
  );
  await systemQuery(
    "test",
    `with made as (
       insert into records.budget (tenant_id, id, name, account_id, currency, amount_minor, period, zone, thresholds, starts_at, counted_to, created_at, updated_at)
       select $1, gen_random_uuid(), 'b', a.id, 'EUR', 1, 'month', 'UTC', '{100}', now(), 0, now(), now() from records.account a where a.tenant_id = $1
       returning id)
     insert into records.budget_period (tenant_id, budget_id, starts_at, ends_at, spent_minor) select $1, id, now(), now() + interval '1 day', 0 from made`,
    [owner.tenantId],
  );
  await systemQuery(
    "test",
    `with made as (
       insert into records.ledger_transaction (tenant_id, id, origin, posted_by, booked_at, created_at, entry_count)
       values ($1, gen_random_uuid(), 'manual', gen_random_uuid(), now(), now(), 2) returning id, booked_at)
     insert into records.ledger_entry (tenant_id, transaction_id, position, account_id, amount_minor, currency, booked_at)
     select $1, made.id, n, a.id, 2 * n - 3, 'EUR', booked_at
       from made, generate_series(1, 2) n, records.account a where a.tenant_id = $1`,
    [owner.tenantId],
  );
  await systemQuery(
    "test",
    `with made as (
       insert into records.sales_order (tenant_id, id, placed_by, currency, total_minor, item_count, saga_id, created_at, updated_at)
       values ($1, gen_random_uuid(), gen_random_uuid(), 'EUR', 2, 1, gen_random_uuid(), now(), now()) returning id)
     insert into records.order_item (tenant_id, order_id, position, product_id, sku, name, quantity, unit_price_minor)
     select $1, id, 1, gen_random_uuid(), 's', 'p', 2, 1 from made`,
    [owner.tenantId],
  );
  await systemQuery(
    "test",
    `with endpoint as (insert into webhooks.endpoint (id, tenant_id, url, created_by) values (gen_random_uuid(), $1, 'https://hooks.example.com/', 'user:x'))
     insert into webhooks.source (id, tenant_id, name, scheme, created_by) values (gen_random_uuid(), $1, 's', 'github', 'user:x')`,
    [owner.tenantId],
  );
  const { key } = await auth.createApiKey({ name: "k" }, owner);
  await auth.inviteMember({ email: `${crypto.randomUUID()}@example.com`, role: "custom", roleId }, owner);
  return { owner, key };
}

/** More than one page by rows and by bytes, written at one moment. */
const manyDocuments = (tenantId: string, rows: number, characters: number): Promise<unknown> =>
  systemQuery(
    "test",
    `insert into vectors.document (id, tenant_id, source, title, text, text_hash, status, chunk_count)
     select gen_random_uuid(), $1, 'd' || n, 't', repeat('x', $3), ''::bytea, 'ready', 1 from generate_series(1, $2) n`,
    [tenantId, rows, characters],
  );

async function withClient<T>(ask: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(AppDB.connectionString);
  await client.connect();
  try {
    return await ask(client);
  } finally {
    await client.end();
  }
}

describe("what is declared", () => {
  test("says of every table of tenants, and of each column, whether it is exported or why not", async () => {
    const { exported: tables, left, missing } = declaredExports();
    expect(missing).toEqual([]);
    const ofTenants = (await withClient(readTables)).filter(
      ({ name, kind, has_tenant_id: has }) => (has || name === "auth.organisation") && (kind === "r" || kind === "p"),
    );
    expect([...tables.map(({ name }) => name), ...Object.keys(left)].sort()).toEqual(
      ofTenants.map(({ name }) => name).sort(),
    );
    for (const { name, columns, omitted = {}, tenantColumn = "tenant_id", joined, personal = [] } of tables) {
      const found = await withClient((client) =>
        client.query<{ column: string }>(
          `select attname::text as column from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped`,
          [name],
        ),
      );
      const said = [...new Set([...columns, ...Object.keys(omitted), tenantColumn])].sort();
      expect(said, name).toEqual(found.rows.map(({ column }) => column).sort());
      expect([...columns, ...Object.keys(joined?.columns ?? {})], name).toEqual(expect.arrayContaining([...personal]));
    }
  });

  test("reads each table in the order of an index that begins with the tenant", async () => {
    for (const { name, order, tenantColumn = "tenant_id" } of declaredExports().exported) {
      const wanted = [tenantColumn, ...Object.keys(order)];
      const found = await withClient((client) =>
        client.query<{ columns: string[]; isUnique: boolean }>(
          `select array(select a.attname::text from unnest(i.indkey) with ordinality k(n, o)
                          join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.n order by k.o) as columns,
                  i.indisunique as "isUnique"
             from pg_index i where i.indrelid = $1::regclass and i.indpred is null`,
          [name],
        ),
      );
      // Of some there is one a tenant.
      const isOne = found.rows.some(({ columns, isUnique }) => isUnique && columns.join() === tenantColumn);
      if (isOne) continue;
      expect(
        found.rows.map(({ columns }) => columns.slice(0, wanted.length)),
        name,
      ).toContainEqual(wanted);
    }
  });
});

describe("an organisation's export", () => {
  test("holds all that is its own, of one moment when it is small, with counts and a hash; nothing of others, no secret", async () => {
    const { owner, key } = await organisation();
    const { owner: neighbour } = await organisation();
    const { head, rows, end, written } = await exported(owner, always);
    const tables = declaredExports().exported.map(({ name }) => name);
    expect([...new Set(rows.map(({ table }) => table))]).toEqual(tables);
    expect(Object.keys(head.tables)).toEqual(tables);
    expect(head).toMatchObject({
      format: "groundwork.organisation-export",
      version: 1,
      organisationId: owner.tenantId,
      startedBy: owner.principal.subjectId,
      notExported: { "secrets.tenant_key": expect.any(String) as string },
    });
    for (const { table, row } of rows) expect(Object.keys(row), table).toEqual(head.tables[table]?.columns);
    expect(rows.find(({ table }) => table === "auth.membership")?.row).toMatchObject({
      account_id: owner.principal.subjectId,
      email: owner.email,
      role: "owner",
    });
    expect(rows.find(({ table }) => table === "vectors.document")?.row).toMatchObject({
      source: "a.md",
      text: "## One\n\nOf mine.",
    });
    expect(end).toEqual({
      end: true,
      rows: rows.length,
      tables: Object.fromEntries(tables.map((name) => [name, rows.filter(({ table }) => table === name).length])),
      consistent: true,
      sha256: createHash("sha256")
        .update(written.slice(0, written.lastIndexOf('{"end":')))
        .digest("hex"),
    });
    expect(written).not.toContain(neighbour.tenantId);
    expect(written).not.toContain(neighbour.email);
    for (const hidden of [key, "t".repeat(43), SECRET, SECRET.slice(-4), "\\\\x"])
      expect(written.replaceAll(/"hash" : "[^"]*"/g, ""), hidden).not.toContain(hidden);
  });

  test("is told to the log and as an event before it is written, and to the log when it is whole", async () => {
    const owner = await registerCaller();
    const { rows, end } = await exported(owner, always);
    const actions = rows.filter(({ table }) => table === "audit.entry").map(({ row }) => row.action);
    expect(actions).toContain("auth.organisation.export_started");
    const [entry] = await systemQuery<{ fields: unknown; actor: string }>(
      "test",
      "select fields, actor from audit.entry where tenant_id = $1 and action = 'auth.organisation.export_completed'",
      [owner.tenantId],
    );
    expect(entry?.fields).toEqual({ rows: end.rows, sha256: end.sha256, consistent: true });
    const events = await systemQuery<{ payload: unknown }>(
      "test",
      "select payload from events.outbox where tenant_id = $1 and type = 'auth.organisation.export-started'",
      [owner.tenantId],
    );
    expect(events.map(({ payload }) => payload)).toEqual([
      { organisationId: owner.tenantId, userId: owner.principal.subjectId },
    ]);
  });

  test("holds no entry of the log that stands outside of its chain: nobody recorded it", async () => {
    const owner = await registerCaller();
    await systemQuery(
      "test",
      `insert into audit.entry select tenant_id, seq + 5, gen_random_uuid(), at, action, 'user:eve', target_type, target_id, correlation_id, fields, personal, personal_digest, hash
         from audit.entry where tenant_id = $1 order by audit.entry.seq desc limit 1`,
      [owner.tenantId],
    );
    for (const options of [always, inPages]) {
      const entries = (await exported(owner, options)).rows.filter(({ table }) => table === "audit.entry");
      expect(entries.map(({ row }) => row.actor)).not.toContain("user:eve");
      expect(entries.length).toBeGreaterThan(1);
    }
  });

  test("of a large one goes page by page over rows of one moment, each once, and says that it is of no one state", async () => {
    const { owner } = await organisation();
    await manyDocuments(owner.tenantId, 1_100, 1);
    const { rows, end } = await exported(owner, always);
    const sources = rows.filter(({ table }) => table === "vectors.document").map(({ row }) => row.source);
    expect(sources.length).toBe(1_101);
    expect(new Set(sources).size).toBe(1_101);
    expect(end).toMatchObject({ consistent: false, rows: rows.length, tables: { "vectors.document": 1_101 } });
    // The same rows as in one state, where nothing changes meanwhile.
    const small = (await organisation()).owner;
    const kinds = async (options: ExportOptions) => (await exported(small, options)).end.tables;
    expect(await kinds(always)).toEqual({
      ...(await kinds(inPages)),
      "audit.entry": expect.any(Number) as number,
    });
  });

  test("waits for its reader: what is made and not taken is a page at most, and one who leaves ends it", async () => {
    const owner = await registerCaller();
    await manyDocuments(owner.tenantId, 40, 100_000);
    const out = new PassThrough({ highWaterMark: 1 });
    let most = 0;
    const writing = writeExport(owner.principal, out, new Date(), always);
    for await (const chunk of out) {
      most = Math.max(most, (chunk as Buffer).length + out.readableLength + out.writableLength);
      if (out.destroyed) break;
    }
    await writing;
    expect(most).toBeGreaterThan(PAGE_BYTES / 2);
    expect(most).toBeLessThan(2 * PAGE_BYTES + 100_000);
    const left = new PassThrough({ highWaterMark: 1 });
    const gone = writeExport(owner.principal, left, new Date(), always);
    left.destroy();
    await gone;
    expect(left.readableLength).toBe(0);
  });

  test("is cut off, without its last line, once who began it may not have it any more", async () => {
    const owner = await registerCaller();
    await manyDocuments(owner.tenantId, 30, 100_000);
    const out = new PassThrough();
    const parts: Buffer[] = [];
    out.on("data", (part: Buffer) => parts.push(part));
    await writeExport(owner.principal, out, new Date(), {
      reading: { mayGoOn: () => Promise.resolve(parts.length < 4) },
    });
    expect(out.destroyed).toBe(true);
    const written = Buffer.concat(parts).toString();
    expect(written).toContain('"table":"auth.organisation"');
    expect(written).not.toContain('{"end":');
  });

  test("may be had while its session is live and owns the organisation, and no longer", async () => {
    const mayBeHad = ({ principal, tenantId }: RegisteredCaller): Promise<boolean> =>
      beginExport(principal, tenantId).then(
        () => true,
        () => false,
      );
    const [owner, other, closing] = [await registerCaller(), await registerCaller(), await registerCaller()];
    expect(await mayBeHad(owner)).toBe(true);
    const foreign = { ...owner.principal, tenantId: other.tenantId };
    expect(await mayBeHad({ ...owner, principal: foreign, tenantId: other.tenantId })).toBe(false);
    expect(await mayBeHad({ ...owner, principal: { ...owner.principal, subjectId: other.principal.subjectId } })).toBe(
      false,
    );
    await signOut(owner.principal);
    expect(await mayBeHad(owner)).toBe(false);
    await systemQuery("test", "update auth.membership set role = 'admin' where tenant_id = $1", [other.tenantId]);
    expect(await mayBeHad(other)).toBe(false);
    await auth.deleteOrganisation({ id: closing.tenantId }, closing);
    expect(await mayBeHad(closing)).toBe(false);
  });

  test("of another organisation, or of none, is as if it did not exist, and leaves nothing", async () => {
    const [owner, other] = [await registerCaller(), await registerCaller()];
    for (const id of [other.tenantId, crypto.randomUUID(), "x", ""])
      expect(reasonOf(await beginExport(owner.principal, id).catch((error: unknown) => error))).toBe(
        "organisation_not_found",
      );
    const entries = await systemQuery(
      "test",
      "select from audit.entry where tenant_id = any($1) and action like 'auth.organisation.export%'",
      [[owner.tenantId, other.tenantId]],
    );
    expect(entries).toEqual([]);
  });
});

test("a reader who takes nothing is left, and so is one who never ends", async () => {
  const stalled = new PassThrough({ highWaterMark: 1 });
  expect(await new NdjsonWriter(stalled, { stallMs: 1, totalMs: 60_000 }).write("a line\n")).toBe(false);
  const endless = new PassThrough({ highWaterMark: 1 });
  expect(await new NdjsonWriter(endless, { stallMs: 60_000, totalMs: 0 }).write("a line\n")).toBe(false);
});
