// Statements over what was sent for all organisations.
import type { Tx } from "../../../db/tenant";

type Purge = (tx: Tx, days: number, limit: number) => Promise<number>;

const attempts: Purge = (tx, days, limit) =>
  tx.execute(
    `delete from webhooks.attempt where id in (
       select id from webhooks.attempt where created_at < now() - $1 * interval '1 day'
        order by created_at limit $2 for update skip locked)`,
    [days, limit],
  );

const deliveries: Purge = (tx, days, limit) =>
  tx.execute(
    `delete from webhooks.delivery where id in (
       select id from webhooks.delivery where ended_at < now() - $1 * interval '1 day'
        order by ended_at limit $2 for update skip locked)`,
    [days, limit],
  );

/** Of endpoints that are gone: nobody ends them. */
const orphans: Purge = (tx, days, limit) =>
  tx.execute(
    `delete from webhooks.delivery where id in (
       select d.id from webhooks.delivery d where d.created_at < now() - $1 * interval '1 day' and d.ended_at is null
          and not exists (select from webhooks.endpoint e where e.tenant_id = d.tenant_id and e.id = d.endpoint_id)
        order by d.created_at limit $2 for update skip locked)`,
    [days, limit],
  );

const messages: Purge = (tx, days, limit) =>
  tx.execute(
    `delete from webhooks.message m using (
       select tenant_id, id from webhooks.message old where created_at < now() - $1 * interval '1 day'
          and not exists (select from webhooks.delivery d where d.tenant_id = old.tenant_id and d.message_id = old.id)
        order by created_at limit $2 for update skip locked) as old
      where m.tenant_id = old.tenant_id and m.id = old.id`,
    [days, limit],
  );

const received: Purge = (tx, days, limit) =>
  tx.execute(
    `delete from webhooks.received r using (
       select tenant_id, source_id, dedupe_key from webhooks.received where created_at < now() - $1 * interval '1 day'
        order by created_at limit $2 for update skip locked) as old
      where r.tenant_id = old.tenant_id and r.source_id = old.source_id and r.dedupe_key = old.dedupe_key`,
    [days, limit],
  );

/**
 * What is older than `days`, the oldest first. A delivery that is not over stays, and its message with it: it is tried again, or others
 * of its aggregate wait for it.
 */
export const purges: readonly Purge[] = [attempts, deliveries, orphans, messages, received];
