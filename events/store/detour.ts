// Statements on events.detour: events that go to a consumer by the topic instead of from the relay itself. While one is
// under way, what follows it in its aggregate goes the same way, or it would overtake.
import { systemQuery, type Tx } from "../../db/tenant";

export interface Detour {
  consumer: string;
  aggregateKey: string;
  eventId: string;
  tenantId: string | null;
}

/** Which of these consumers have one under way in which of these aggregates: one look at the index a pair. */
export function detoursOf(
  consumers: readonly string[],
  aggregateKeys: readonly string[],
): Promise<Pick<Detour, "consumer" | "aggregateKey">[]> {
  return systemQuery(
    "relay-detour",
    `select c.name as consumer, a.key as "aggregateKey" from unnest($1::text[]) as c (name) cross join unnest($2::uuid[]) as a (key)
      where exists (select from events.detour d where d.aggregate_key = a.key and d.consumer = c.name)`,
    [consumers, aggregateKeys],
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

const END = "delete from events.detour where consumer = $1 and event_id = $2";

/** The consumer is done with the event, without its handler. */
export async function detourEnd(consumer: string, eventId: string): Promise<void> {
  await systemQuery("relay-detour", END, [consumer, eventId]);
}

/** The same in a transaction. */
export async function detourEndIn(tx: Tx, consumer: string, eventId: string): Promise<void> {
  await tx.execute(END, [consumer, eventId]);
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
