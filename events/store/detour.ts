// Statements on events.detour: events that go to a consumer by the topic instead of from the relay itself. While one is
// under way, what follows it in its aggregate goes the same way, or it would overtake.
import { systemQuery, type Tx } from "../../db/tenant";

export interface Detour {
  consumer: string;
  aggregateKey: string;
  eventId: string;
  tenantId: string | null;
}

/** Which consumers have one under way in which of these aggregates. */
export function detoursOf(aggregateKeys: readonly string[]): Promise<Pick<Detour, "consumer" | "aggregateKey">[]> {
  return systemQuery(
    "relay-detour",
    `select distinct consumer, aggregate_key as "aggregateKey" from events.detour where aggregate_key = any($1::uuid[])`,
    [aggregateKeys],
  );
}

/** Notes detours before they are begun; one that is noted already stays as it is. */
export async function detoursBegin(detours: readonly Detour[]): Promise<void> {
  await systemQuery(
    "relay-detour",
    `insert into events.detour (consumer, aggregate_key, event_id, tenant_id)
     select * from unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[]) order by 1, 3 on conflict do nothing`,
    [
      detours.map(({ consumer }) => consumer),
      detours.map(({ aggregateKey }) => aggregateKey),
      detours.map(({ eventId }) => eventId),
      detours.map(({ tenantId }) => tenantId),
    ],
  );
}

/** Deletes detours older than the given days, which nobody ended, at most `limit`; resolves with how many went. */
export function detourPurge(tx: Tx, olderThanDays: number, limit: number): Promise<number> {
  return tx.execute(
    `delete from events.detour where (consumer, event_id) in (
       select consumer, event_id from events.detour
        where begun_at < now() - $1 * interval '1 day'
        order by begun_at limit $2 for update skip locked)`,
    [olderThanDays, limit],
  );
}
