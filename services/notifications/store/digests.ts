// The SQL of digests: what is gathered for one mail.
import { tenantQuery, type TenantScope, type Tx } from "../../../db/tenant";
import type { Content } from "../content";
import type { Policy, Preferences } from "../settings";
import { FINAL_FAILURES } from "./deliveries";

export interface WantedDigest {
  id: string;
  userId: string;
  destination: string;
  dueAt: Date;
}

export interface OpenDigest {
  id: string;
  userId: string;
  destination: string;
  dueAt: Date;
  /** Nobody waits for its time yet. */
  isNew: boolean;
}

/** Digests that nobody has closed for a day after their time are begun anew: their jobs are dead. */
const DEAD = "d.due_at < now() - interval '1 day'";

/**
 * Those that are open, or these; in the order given. None of them is closed before the transaction ends, so what is gathered
 * in it is sent with them.
 */
export function digestOpen(
  tx: Tx,
  tenantId: string,
  category: string,
  wanted: readonly WantedDigest[],
): Promise<OpenDigest[]> {
  return tx.query<OpenDigest>(
    `insert into notifications.digest as d (tenant_id, id, user_id, category, destination, due_at)
     select $1, i, u, $2, a, m from unnest($3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[]) with ordinality x (i, u, a, m, n) order by n
     on conflict (tenant_id, user_id, category, destination) do update
        set due_at = case when ${DEAD} then excluded.due_at else d.due_at end
     returning d.id, d.user_id as "userId", d.destination, d.due_at as "dueAt",
               d.id = any($3::uuid[]) or d.due_at = any($6::timestamptz[]) as "isNew"`,
    [
      tenantId,
      category,
      wanted.map(({ id }) => id),
      wanted.map(({ userId }) => userId),
      wanted.map(({ destination }) => destination),
      wanted.map(({ dueAt }) => dueAt),
    ],
  );
}

export interface DigestRow {
  userId: string;
  category: string;
  destination: string;
  policy: Policy | null;
  preferences: Preferences | null;
  /** The database's clock. */
  nowMs: number;
}

/** One that is open, with what decides about its time; nothing more is gathered until the transaction ends. */
export async function digestLock(tx: Tx, tenantId: string, id: string): Promise<DigestRow | undefined> {
  const rows = await tx.query<DigestRow>(
    `select d.user_id as "userId", d.category, d.destination, o.settings as policy, p.settings as preferences,
            floor(extract(epoch from clock_timestamp()) * 1000)::float8 as "nowMs"
       from notifications.digest d
       left join notifications.policy o on o.tenant_id = d.tenant_id
       left join notifications.preference p on p.tenant_id = d.tenant_id and p.user_id = d.user_id
      where d.tenant_id = $1 and d.id = $2 for update of d`,
    [tenantId, id],
  );
  return rows[0];
}

/** Closes it: what it has gathered is to be sent, and what comes from now on is another's. */
export async function digestClose(tx: Tx, tenantId: string, id: string): Promise<void> {
  await tx.execute(`delete from notifications.digest where tenant_id = $1 and id = $2`, [tenantId, id]);
  await tx.execute(
    `update notifications.delivery set state = 'queued', reason = null, held_until = null, updated_at = now()
      where tenant_id = $1 and digest_id = $2 and state = 'held'`,
    [tenantId, id],
  );
}

/** Its time is later. */
export async function digestDefer(tx: Tx, tenantId: string, id: string, dueAt: Date): Promise<void> {
  await tx.execute(`update notifications.digest set due_at = $3 where tenant_id = $1 and id = $2`, [
    tenantId,
    id,
    dueAt,
  ]);
  await tx.execute(
    `update notifications.delivery set held_until = $3 where tenant_id = $1 and digest_id = $2 and state = 'held'`,
    [tenantId, id, dueAt],
  );
}

export interface GatheredRow {
  id: string;
  content: Content;
}

/** What a closed one has gathered and not sent, the oldest first. */
export function digestGathered(scope: TenantScope, id: string, limit: number): Promise<GatheredRow[]> {
  return tenantQuery<GatheredRow>(
    scope,
    `select d.id, n.content from notifications.delivery d
       join notifications.notification n on n.tenant_id = d.tenant_id and n.id = d.notification_id
      where d.tenant_id = $1 and d.digest_id = $2 and d.state = 'queued' order by d.created_at, d.id limit $3`,
    [scope.tenantId, id, limit],
  );
}

/** How many a closed one has gathered and not sent. */
export async function digestCount(scope: TenantScope, id: string): Promise<number> {
  const rows = await tenantQuery<{ count: number }>(
    scope,
    `select count(*)::int as count from notifications.delivery where tenant_id = $1 and digest_id = $2 and state = 'queued'`,
    [scope.tenantId, id],
  );
  return rows[0]?.count ?? 0;
}

const END = `update notifications.delivery set state = $3, reason = $4, updated_at = now()
  where tenant_id = $1 and digest_id = $2 and state in ('queued', 'held')`;

/** What became of all that it gathered. */
export async function digestEnd(
  scope: TenantScope,
  id: string,
  { state, reason = null }: { state: "sent" | "failed" | "withheld"; reason?: string | null },
): Promise<void> {
  await tenantQuery(scope, END, [scope.tenantId, id, state, reason]);
}

/** The same in a transaction. */
export async function digestFail(tx: Tx, tenantId: string, id: string, reason: string): Promise<void> {
  await tx.execute(`delete from notifications.digest where tenant_id = $1 and id = $2`, [tenantId, id]);
  await tx.execute(END, [tenantId, id, "failed", reason]);
}

/** What failed of one goes again: somebody redrives its dead letter. Not what no other attempt mends. */
export async function digestReopen(tx: Tx, tenantId: string, id: string): Promise<void> {
  await tx.execute(
    `update notifications.delivery set state = 'queued', reason = null, updated_at = now()
      where tenant_id = $1 and digest_id = $2 and state = 'failed' and reason <> all($3::text[])`,
    [tenantId, id, FINAL_FAILURES],
  );
}

/** Those that nobody has closed for a month after their time. */
export const digestPurge = (tx: Tx, limit: number): Promise<number> =>
  tx.execute(
    `delete from notifications.digest where (tenant_id, id) in (
       select tenant_id, id from notifications.digest
        where due_at < now() - interval '30 days' order by due_at limit $1 for update skip locked)`,
    [limit],
  );
