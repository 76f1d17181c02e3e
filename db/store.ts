// Statements on db.system_use: how often the system's scope was used, by reason and hour.
import type { Tx } from "./tx";

/**
 * Adds counts ($1 reasons, $2 numbers) to those of the present hour, by the database's clock; always in one order, so
 * that processes don't deadlock.
 */
export const SYSTEM_USE_ADD = `
  insert into db.system_use as known (hour, reason, uses, last_at)
  select date_trunc('hour', now()), reason, uses, now() from unnest($1::text[], $2::bigint[]) as counted (reason, uses) order by reason
  on conflict (hour, reason) do update set uses = known.uses + excluded.uses, last_at = greatest(known.last_at, excluded.last_at)`;

export interface SystemUseRow {
  /** Its beginning. */
  hour: Date;
  reason: string;
  uses: number;
  lastAt: Date;
}

/** The counts of hours from `from` on and before `to`, the newest first. */
export function systemUseList(tx: Tx, from: Date, to: Date, limit: number): Promise<SystemUseRow[]> {
  return tx.query<SystemUseRow>(
    `select hour, reason, uses, last_at as "lastAt" from db.system_use
      where hour >= $1 and hour < $2 order by hour desc, reason limit $3`,
    [from, to, limit],
  );
}

/** Deletes counts of hours more than `keepDays` days ago, by the clock that the table goes by, at most `limit`. It keeps those of the last 90 days, whoever asks. */
export function systemUsePurge(tx: Tx, keepDays: number, limit: number): Promise<number> {
  return tx.execute(
    `delete from db.system_use where (hour, reason) in (
       select hour, reason from db.system_use where hour < now() - make_interval(days => greatest($1::int, 90)) order by hour limit $2 for update skip locked)`,
    [keepDays, limit],
  );
}

/** Which installation this database is of; once the first token was let in. */
export const INSTALLATION = "select db.installation() as installation";

/** A master key that the database has known. */
export interface MasterKeyRow {
  /** Hexadecimal. */
  id: string;
  admittedAt: Date;
  retiredAt: Date | null;
  tokens: number;
  /** When a token of it was let in last. */
  lastTokenAt: Date | null;
}

/** The first hundred. */
export function masterKeyList(tx: Tx): Promise<MasterKeyRow[]> {
  return tx.query<MasterKeyRow>(
    `select encode(id, 'hex') as id, admitted_at as "admittedAt", retired_at as "retiredAt", tokens, last_token_at as "lastTokenAt"
       from db.list_master_keys()`,
  );
}

/** How many tokens went; undefined when there is no such key, or it is retired. */
export async function masterKeyRetire(tx: Tx, id: string): Promise<number | undefined> {
  const rows = await tx.query<{ gone: number | null }>("select db.retire_master_key(decode($1, 'hex')) as gone", [id]);
  return rows[0]?.gone ?? undefined;
}
