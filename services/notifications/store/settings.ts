// The SQL of what organisations and people prefer.
import { tenantQuery, type TenantScope, type Tx } from "../../../db/tenant";
import type { Policy, Preferences } from "../settings";

export async function policyFind(scope: TenantScope): Promise<Policy | undefined> {
  const rows = await tenantQuery<{ settings: Policy }>(
    scope,
    `select settings from notifications.policy where tenant_id = $1`,
    [scope.tenantId],
  );
  return rows[0]?.settings;
}

export interface OwnSettings {
  policy: Policy | null;
  preferences: Preferences | null;
}

/** Of one person. */
export async function settingsFind(scope: TenantScope, userId: string): Promise<OwnSettings> {
  const rows = await tenantQuery<OwnSettings>(
    scope,
    `select (select settings from notifications.policy where tenant_id = $1) as policy,
            (select settings from notifications.preference where tenant_id = $1 and user_id = $2) as preferences`,
    [scope.tenantId, userId],
  );
  return rows[0] ?? { policy: null, preferences: null };
}

/** Of several people; those who prefer nothing are missing. */
export async function settingsList(
  tx: Tx,
  tenantId: string,
  userIds: readonly string[],
): Promise<{ policy: Policy | undefined; preferences: ReadonlyMap<string, Preferences> }> {
  const rows = await tx.query<{ userId: string | null; settings: Policy & Preferences }>(
    `select null::uuid as "userId", settings from notifications.policy where tenant_id = $1
     union all
     select user_id, settings from notifications.preference where tenant_id = $1 and user_id = any($2::uuid[])
     limit $3`,
    [tenantId, userIds, userIds.length + 1],
  );
  return {
    policy: rows.find(({ userId }) => userId === null)?.settings,
    preferences: new Map(rows.flatMap(({ userId, settings }) => (userId === null ? [] : [[userId, settings]]))),
  };
}

export async function preferencePut(tx: Tx, tenantId: string, userId: string, settings: Preferences): Promise<void> {
  await tx.execute(
    `insert into notifications.preference (tenant_id, user_id, settings) values ($1, $2, $3)
     on conflict (tenant_id, user_id) do update set settings = excluded.settings, updated_at = now()`,
    [tenantId, userId, JSON.stringify(settings)],
  );
}

/** Somebody's preferences; no other change of them comes in before the transaction ends. */
export async function preferenceLock(tx: Tx, tenantId: string, userId: string): Promise<Preferences | undefined> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('notifications.preference ' || $1 || $2, 0))`, [
    tenantId,
    userId,
  ]);
  const rows = await tx.query<{ settings: Preferences }>(
    `select settings from notifications.preference where tenant_id = $1 and user_id = $2`,
    [tenantId, userId],
  );
  return rows[0]?.settings;
}

export async function policyPut(tx: Tx, tenantId: string, settings: Policy): Promise<void> {
  await tx.execute(
    `insert into notifications.policy (tenant_id, settings) values ($1, $2)
     on conflict (tenant_id) do update set settings = excluded.settings, updated_at = now()`,
    [tenantId, JSON.stringify(settings)],
  );
}
