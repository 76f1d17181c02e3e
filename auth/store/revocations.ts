// Statements on auth.revocation: what access tokens that have not expired are refused for. A row lives little longer
// than such a token.
import { systemQuery, type Tx } from "../../db/tenant";

/** A session or key whose tokens are refused, or a membership (`account:tenant`), role, organisation or session in one organisation whose tokens below a revision are. */
export interface Revocation {
  subject: string;
  belowRevision: number | null;
}

export async function revocationInsert(
  tx: Tx,
  revocations: readonly Revocation[],
  lifetimeSeconds: number,
): Promise<void> {
  await tx.execute(
    `insert into auth.revocation (subject, below_revision, expires_at)
     select subject, below, now() + make_interval(secs => $3) from unnest($1::text[], $2::bigint[]) as r (subject, below)`,
    [revocations.map(({ subject }) => subject), revocations.map(({ belowRevision }) => belowRevision), lifetimeSeconds],
  );
}

export interface RevocationPage {
  /** Everything of transactions before this one has been seen; what comes later is at or above it. */
  horizon: string;
  /** The database's clock, since 1970. */
  databaseMs?: number;
  rows: (Revocation & { position: string; remainingMs: number })[];
}

/** Of horizon, position and limit. */
export const REVOCATION_READ = `select pg_snapshot_xmin(pg_current_snapshot())::text as horizon,
            extract(epoch from clock_timestamp())::float8 * 1000 as "databaseMs", coalesce((
       select json_agg(r) from (
         select subject, below_revision as "belowRevision", position::text as position,
                ceil(extract(epoch from expires_at - now()) * 1000)::int as "remainingMs"
         from auth.revocation
         where xid >= coalesce($1, '0')::xid8 and position > coalesce($2, '0')::bigint and expires_at > now()
         order by position limit $3) r), '[]') as rows`;

/**
 * Live revocations of transactions at or above `horizon` (null: all), from the first or after `position`. A position by
 * time or by a sequence would miss what commits late; the oldest transaction still running misses nothing.
 * Source: https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
 */
export async function revocationRead(
  horizon: string | null,
  position: string | null,
  limit: number,
): Promise<RevocationPage> {
  const [page] = await systemQuery<RevocationPage>("revocations-poll", REVOCATION_READ, [horizon, position, limit]);
  if (page === undefined) throw new Error("a statement without FROM answered no row");
  return page;
}

/** Removes what no token can name any more, at most `limit`. */
export async function revocationDeleteExpired(tx: Tx, limit: number): Promise<number> {
  return tx.execute(
    `delete from auth.revocation where position in (
       select position from auth.revocation where expires_at < now() order by expires_at limit $1 for update skip locked)`,
    [limit],
  );
}
