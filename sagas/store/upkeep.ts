// Statements over the sagas of all tenants.
import type { Tx } from "../../db/tenant";
import type { TenantId } from "../../security/principal";
import type { SagaRow } from "./saga";

export type OverdueRow = Pick<SagaRow, "id" | "tenantId" | "name" | "version" | "actor" | "correlationId">;

/**
 * Open ones of these definitions that nobody has driven on for `graceMs`, the longest not looked at first. They are due as before, for
 * whoever drives them; no other look takes them for as long, and later the longer they wait: a quarter of that time, an hour at most.
 * A run whose lease is over counts as gone that much later: it may live, and wait for a connection to renew it.
 */
export function sagaTakeOverdue(
  tx: Tx,
  known: readonly { name: string; version: number }[],
  graceMs: number,
  limit: number,
): Promise<OverdueRow[]> {
  return tx.query<OverdueRow>(
    `update sagas.saga set run_id = null,
            leased_until = now() + least(interval '1 hour', greatest($3 * interval '1 millisecond', (now() - due_at) / 4))
      where id = any(array(
        select s.id from sagas.saga s join unnest($1::text[], $2::int[]) as k (name, version) using (name, version)
         where s.state in ('running', 'compensating') and s.due_at < now() - $3 * interval '1 millisecond'
           and (s.leased_until is null
                or s.leased_until < now() - case when s.run_id is null then 0 else $3 end * interval '1 millisecond')
         order by coalesce(s.leased_until, s.due_at) limit $4 for update of s skip locked))
     returning id, tenant_id as "tenantId", name, version, actor, correlation_id as "correlationId"`,
    [known.map(({ name }) => name), known.map(({ version }) => version), graceMs, limit],
  );
}

/** How many are open, by state. */
export const SAGAS_OPEN = `
  select state, count(*)::int as count from sagas.saga where ended_at is null group by state`;

/** Deletes those that ended `days` ago, the oldest first. */
export function sagaPurge(tx: Tx, days: number, limit: number): Promise<number> {
  return tx.execute(
    `delete from sagas.saga where id = any(array(
       select id from sagas.saga where ended_at < now() - $1 * interval '1 day'
        order by ended_at limit $2 for update skip locked))`,
    [days, limit],
  );
}

/** Deletes open ones that nobody has driven on, or put right, for `days`: their version, or their organisation, is gone. */
export function sagaPurgeOpen(tx: Tx, days: number, limit: number): Promise<number> {
  return tx.execute(
    `delete from sagas.saga where id = any(array(
       select id from sagas.saga
        where ended_at is null and created_at < now() - $1 * interval '1 day' and due_at < now() - $1 * interval '1 day'
        order by created_at limit $2 for update skip locked))`,
    [days, limit],
  );
}

/** Deletes those of one tenant, open ones too: a run that has the turn of one commits nothing any more. */
export function sagaPurgeTenant(tx: Tx, tenantId: TenantId, limit: number): Promise<number> {
  return tx.execute(
    `delete from sagas.saga where tenant_id = $1 and id = any(array(
       select id from sagas.saga where tenant_id = $1 order by created_at desc, id desc limit $2))`,
    [tenantId, limit],
  );
}
