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
       select id from webhooks.delivery where created_at < now() - $1 * interval '1 day'
        order by created_at limit $2 for update skip locked)`,
    [days, limit],
  );

const messages: Purge = (tx, days, limit) =>
  tx.execute(
    `delete from webhooks.message m using (
       select tenant_id, id from webhooks.message where created_at < now() - $1 * interval '1 day'
        order by created_at limit $2 for update skip locked) as old
      where m.tenant_id = old.tenant_id and m.id = old.id`,
    [days, limit],
  );

/** What is older than `days`, the oldest first. A message goes when nothing is known of its deliveries any more. */
export const purges: readonly Purge[] = [attempts, deliveries, messages];
