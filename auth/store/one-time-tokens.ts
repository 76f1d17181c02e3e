// Statements on auth.one_time_token: what links in mails can do. Only hashes are stored.
import { systemQuery, type Tx } from "../../db/tenant";

export type Purpose =
  | "verify-email"
  | "reset-password"
  | "change-email"
  | "revert-email"
  | "restore-account"
  | "step-up"
  /** To the address that the account lost by the way back; it can do nothing. */
  | "email-reverted";

/** Whose token it is, and the address that it was sent to. */
export interface OneTimeTokenRow {
  accountId: string;
  email: string;
}

/**
 * Stores a token of the account's present address over the one before of this purpose. Resolves with the address;
 * undefined when there is no such live account, or (`onlyUnverified`) its address is verified already.
 */
export async function oneTimeTokenPut(
  token: { accountId: string; purpose: Purpose; hash: Buffer; lifetimeSeconds: number },
  onlyUnverified: boolean,
): Promise<string | undefined> {
  const rows = await systemQuery<{ email: string }>(
    "one-time-token-for-a-mail",
    `insert into auth.one_time_token (account_id, purpose, hash, email, expires_at)
     select a.id, $2, $3, a.email, now() + make_interval(secs => $4)
     from auth.account a where a.id = $1 and a.purge_at is null and not ($5 and a.email_verified_at is not null)
     on conflict (account_id, purpose) do update
       set hash = excluded.hash, email = excluded.email, created_at = now(), expires_at = excluded.expires_at
     returning email`,
    [token.accountId, token.purpose, token.hash, token.lifetimeSeconds, onlyUnverified],
  );
  return rows[0]?.email;
}

/**
 * Stores what a mail to another address than the account's will be for. One before of this purpose is replaced; with
 * `keep` a live one stays as it is.
 */
export async function oneTimeTokenHold(
  tx: Tx,
  token: { accountId: string; purpose: Purpose; hash: Buffer; email: string; lifetimeSeconds: number },
  before: "replace" | "keep",
): Promise<void> {
  await tx.execute(
    `insert into auth.one_time_token as t (account_id, purpose, hash, email, expires_at)
     values ($1, $2, $3, $4, now() + make_interval(secs => $5))
     on conflict (account_id, purpose) do update
       set hash = excluded.hash, email = excluded.email, created_at = now(), expires_at = excluded.expires_at
       where $6 or t.expires_at <= now()`,
    [token.accountId, token.purpose, token.hash, token.email, token.lifetimeSeconds, before === "replace"],
  );
}

/**
 * Gives what is held another token. Resolves with the address that it is for; undefined when nothing is held any more,
 * or another account has the address.
 */
export async function oneTimeTokenRenew(
  accountId: string,
  purpose: Purpose,
  hash: Buffer,
): Promise<string | undefined> {
  const rows = await systemQuery<{ email: string }>(
    "one-time-token-for-a-mail",
    `update auth.one_time_token t set hash = $3
     where account_id = $1 and purpose = $2 and expires_at > clock_timestamp()
       and not exists (select from auth.account a where a.email = t.email and a.id <> $1)
     returning email`,
    [accountId, purpose, hash],
  );
  return rows[0]?.email;
}

/** The address that the account can still take back; undefined when there is none, or another account has it. */
export async function oneTimeTokenHeldAddress(accountId: string): Promise<string | undefined> {
  const rows = await systemQuery<{ email: string }>(
    "one-time-token-for-a-mail",
    `select t.email from auth.one_time_token t
     where t.account_id = $1 and t.purpose = 'revert-email' and t.expires_at > clock_timestamp()
       and not exists (select from auth.account a where a.email = t.email and a.id <> $1)`,
    [accountId],
  );
  return rows[0]?.email;
}

/** The live token of a hash, without using it up. */
export async function oneTimeTokenFind(purpose: Purpose, hash: Buffer): Promise<OneTimeTokenRow | undefined> {
  const rows = await systemQuery<OneTimeTokenRow>(
    "one-time-token-before-account-known",
    `select account_id as "accountId", email from auth.one_time_token
     where hash = $2 and purpose = $1 and expires_at > clock_timestamp()`,
    [purpose, hash],
  );
  return rows[0];
}

/** When the live token of a hash was first stored. */
export async function oneTimeTokenLook(tx: Tx, purpose: Purpose, hash: Buffer): Promise<Date | undefined> {
  const rows = await tx.query<{ createdAt: Date }>(
    `select created_at as "createdAt" from auth.one_time_token
     where hash = $2 and purpose = $1 and expires_at > clock_timestamp()`,
    [purpose, hash],
  );
  return rows[0]?.createdAt;
}

/** Uses up the live token of a hash: of many at once one gets it. With when it was first stored. */
export async function oneTimeTokenTake(
  tx: Tx,
  purpose: Purpose,
  hash: Buffer,
): Promise<(OneTimeTokenRow & { createdAt: Date }) | undefined> {
  const rows = await tx.query<OneTimeTokenRow & { createdAt: Date }>(
    `delete from auth.one_time_token where hash = $2 and purpose = $1 and expires_at > clock_timestamp()
     returning account_id as "accountId", email, created_at as "createdAt"`,
    [purpose, hash],
  );
  return rows[0];
}

/** Links that were mailed to the account before stop working, but for the way back to its first address; who lost one is told still. */
export async function oneTimeTokenDeleteOfAccount(tx: Tx, accountId: string): Promise<void> {
  await tx.execute(
    `delete from auth.one_time_token where account_id = $1 and purpose not in ('revert-email', 'email-reverted')`,
    [accountId],
  );
}

/** Removes tokens whose time is up, at most `limit`. */
export function oneTimeTokenDeleteExpired(tx: Tx, limit: number): Promise<number> {
  return tx.execute(
    `delete from auth.one_time_token where (account_id, purpose) in (
       select account_id, purpose from auth.one_time_token where expires_at < now()
       order by expires_at limit $1 for update skip locked)`,
    [limit],
  );
}
