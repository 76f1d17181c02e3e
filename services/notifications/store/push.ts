// The SQL of push subscriptions: browsers that somebody lets us wake.
import { createHash } from "node:crypto";
import { tenantQuery, type TenantScope, type Tx } from "../../../db/tenant";

export interface SubscriptionRow {
  id: string;
  userId: string;
  endpoint: string;
  p256dh: Buffer;
  auth: Buffer;
  /** Of the VAPID key that it was made with. */
  vapidKeyId: string;
  createdAt: Date;
}

const COLUMNS = `id, user_id as "userId", endpoint, p256dh, auth, vapid_key_id as "vapidKeyId", created_at as "createdAt"`;

/** The browser's again, with the keys that it has now; resolves with its id. Beyond `max` of somebody's the oldest go. */
export async function subscriptionPut(
  tx: Tx,
  tenantId: string,
  { id, userId, endpoint, p256dh, auth, vapidKeyId }: Omit<SubscriptionRow, "createdAt">,
  max: number,
): Promise<string> {
  const rows = await tx.query<{ id: string }>(
    `insert into notifications.push_subscription (tenant_id, id, user_id, endpoint, p256dh, auth, vapid_key_id, endpoint_hash)
     values ($1, $2, $3, $4, $5, $6, $7, $8)
     on conflict (tenant_id, user_id, endpoint_hash) do update
        set p256dh = excluded.p256dh, auth = excluded.auth, vapid_key_id = excluded.vapid_key_id, created_at = now()
     returning id`,
    [tenantId, id, userId, endpoint, p256dh, auth, vapidKeyId, createHash("sha256").update(endpoint).digest()],
  );
  await tx.execute(
    `delete from notifications.push_subscription where tenant_id = $1 and user_id = $2 and id in (
       select id from notifications.push_subscription where tenant_id = $1 and user_id = $2
        order by created_at desc, id desc offset $3)`,
    [tenantId, userId, max],
  );
  return rows[0]?.id ?? id;
}

export function subscriptionList(scope: TenantScope, userId: string, limit: number): Promise<SubscriptionRow[]> {
  return tenantQuery<SubscriptionRow>(
    scope,
    `select ${COLUMNS} from notifications.push_subscription where tenant_id = $1 and user_id = $2
      order by created_at desc, id desc limit $3`,
    [scope.tenantId, userId, limit],
  );
}

export async function subscriptionFind(scope: TenantScope, id: string): Promise<SubscriptionRow | undefined> {
  const rows = await tenantQuery<SubscriptionRow>(
    scope,
    `select ${COLUMNS} from notifications.push_subscription where tenant_id = $1 and id = $2`,
    [scope.tenantId, id],
  );
  return rows[0];
}

/** Of several people, the newest first. */
export async function subscriptionListOf(
  tx: Tx,
  tenantId: string,
  userIds: readonly string[],
  ofOneMax: number,
): Promise<ReadonlyMap<string, string[]>> {
  const rows = await tx.query<{ userId: string; ids: string[] }>(
    `select user_id as "userId", (array_agg(id order by created_at desc, id desc))[1:$3::int] as ids
       from notifications.push_subscription where tenant_id = $1 and user_id = any($2::uuid[]) group by user_id limit $4`,
    [tenantId, userIds, ofOneMax, userIds.length],
  );
  return new Map(rows.map(({ userId, ids }) => [userId, ids]));
}

/** False when there is none. */
export async function subscriptionDelete(scope: TenantScope, id: string, userId?: string): Promise<boolean> {
  const rows = await tenantQuery(
    scope,
    `delete from notifications.push_subscription where tenant_id = $1 and id = $2 and ($3::uuid is null or user_id = $3) returning id`,
    [scope.tenantId, id, userId ?? null],
  );
  return rows.length > 0;
}

/** Those of which nobody told for a year: browsers renew theirs. */
export const subscriptionPurge = (tx: Tx, limit: number): Promise<number> =>
  tx.execute(
    `delete from notifications.push_subscription where (tenant_id, id) in (
       select tenant_id, id from notifications.push_subscription
        where created_at < now() - interval '365 days' order by created_at limit $1 for update skip locked)`,
    [limit],
  );
