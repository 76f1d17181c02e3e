// Statements on auth.totp, auth.recovery_code and auth.used_challenge. Factors belong to accounts, so only system
// transactions see them; each statement says whose account it is.
import { systemQuery, type Tx } from "../../db/tenant";

export interface FactorsRow {
  /** When the codes that count with the clock were confirmed; null when they are not in use. */
  totpSince: Date | null;
  passkeys: number;
  recoveryCodesLeft: number;
}

export async function factorsFind(accountId: string): Promise<FactorsRow> {
  const rows = await systemQuery<FactorsRow>("factors-of-an-account", FACTORS, [accountId]);
  return rows[0] ?? NONE;
}

const NONE: FactorsRow = { totpSince: null, passkeys: 0, recoveryCodesLeft: 0 };

const FACTORS = `select
  (select confirmed_at from auth.totp where account_id = $1) as "totpSince",
  (select count(*)::int from auth.passkey where account_id = $1) as passkeys,
  (select count(*)::int from auth.recovery_code where account_id = $1 and used_at is null) as "recoveryCodesLeft"`;

/** Since when the oldest factor of an account is in use; null when it has none. */
const OLDEST = `least((select confirmed_at from auth.totp where account_id = $1),
  (select min(created_at) from auth.passkey where account_id = $1))`;

/** The same in a transaction; true after accountLock. */
export async function factorsFindIn(tx: Tx, accountId: string): Promise<FactorsRow> {
  const rows = await tx.query<FactorsRow>(FACTORS, [accountId]);
  return rows[0] ?? NONE;
}

export interface TotpRow {
  secretSealed: Buffer;
  isConfirmed: boolean;
  /** Begun so long ago that it is not confirmed any more. */
  isStale: boolean;
  lastStep: number | null;
  failures: number;
}

/** A secret that waits to be confirmed, over the one that waited before. False when codes are in use. */
export async function totpBegin(
  tx: Tx,
  { accountId, secretSealed }: { accountId: string; secretSealed: Buffer },
): Promise<boolean> {
  const changed = await tx.execute(
    `insert into auth.totp (account_id, secret_sealed) values ($1, $2)
     on conflict (account_id) do update set secret_sealed = excluded.secret_sealed, created_at = now()
     where auth.totp.confirmed_at is null`,
    [accountId, secretSealed],
  );
  return changed === 1;
}

/** Locks the row, so that of two requests with one code the second sees what the first did. */
export async function totpFindForUpdate(
  tx: Tx,
  accountId: string,
  pendingSeconds: number,
): Promise<TotpRow | undefined> {
  const rows = await tx.query<TotpRow>(
    `select secret_sealed as "secretSealed", confirmed_at is not null as "isConfirmed",
            confirmed_at is null and created_at < now() - make_interval(secs => $2) as "isStale",
            last_step::float8 as "lastStep", failures
     from auth.totp where account_id = $1 for update`,
    [accountId, pendingSeconds],
  );
  return rows[0];
}

/** Puts the waiting secret into use; its first step is used up. False when none waits. */
export async function totpConfirm(tx: Tx, { accountId, step }: { accountId: string; step: number }): Promise<boolean> {
  const changed = await tx.execute(
    `update auth.totp set confirmed_at = now(), last_step = $2 where account_id = $1 and confirmed_at is null`,
    [accountId, step],
  );
  return changed === 1;
}

/** Uses a step up. False when it or a later one is used up already. */
export async function totpUse(tx: Tx, { accountId, step }: { accountId: string; step: number }): Promise<boolean> {
  const changed = await tx.execute(
    `update auth.totp set last_step = $2, failures = 0
     where account_id = $1 and confirmed_at is not null and last_step < $2`,
    [accountId, step],
  );
  return changed === 1;
}

/** Counts a wrong code; resolves with how many there were in a row. */
export async function totpCountFailure(tx: Tx, accountId: string): Promise<number> {
  const rows = await tx.query<{ failures: number }>(
    `update auth.totp set failures = failures + 1 where account_id = $1 returning failures`,
    [accountId],
  );
  return rows[0]?.failures ?? 0;
}

/** Another factor was shown: codes may be tried again. */
export async function totpForgetFailures(tx: Tx, accountId: string): Promise<void> {
  await tx.execute(`update auth.totp set failures = 0 where account_id = $1 and failures > 0`, [accountId]);
}

export interface SealedTotp {
  accountId: string;
  secretSealed: Buffer;
}

/** Locks the next secrets that another key than this one sealed, in the order of their accounts. */
export async function totpListSealedByOthers(
  tx: Tx,
  { keyId, after, limit }: { keyId: Buffer; after: string; limit: number },
): Promise<SealedTotp[]> {
  return tx.query<SealedTotp>(
    `select account_id as "accountId", secret_sealed as "secretSealed" from auth.totp
     where account_id > $2 and substring(secret_sealed from 2 for 4) <> $1
     order by account_id limit $3 for update`,
    [keyId, after, limit],
  );
}

/** The same secrets in other envelopes. The caller holds their locks. */
export async function totpReseal(tx: Tx, secrets: readonly SealedTotp[]): Promise<number> {
  return tx.execute(
    `update auth.totp set secret_sealed = resealed.envelope
     from unnest($1::uuid[], $2::bytea[]) as resealed (id, envelope) where account_id = resealed.id`,
    [secrets.map((secret) => secret.accountId), secrets.map((secret) => secret.secretSealed)],
  );
}

/** False when no codes are in use; a secret that waits goes too. */
export async function totpDelete(tx: Tx, accountId: string): Promise<boolean> {
  const rows = await tx.query<{ wasUsed: boolean }>(
    `delete from auth.totp where account_id = $1 returning confirmed_at is not null as "wasUsed"`,
    [accountId],
  );
  return rows[0]?.wasUsed ?? false;
}

/** Before a factor is removed: since when the account has one, which whatever takes its place carries on. The caller holds accountLock. */
export function factorsNoteHeld(tx: Tx, accountId: string): void {
  tx.executeLater(
    `update auth.account set second_factor_since = ${OLDEST} where id = $1 and second_factor_since is null`,
    [accountId],
  );
}

/** What the account has from now on took no factor's place. */
export function factorsForgetHeld(tx: Tx, accountId: string): void {
  tx.executeLater(
    `update auth.account set second_factor_since = null where id = $1 and second_factor_since is not null`,
    [accountId],
  );
}

/** Whether the account had a factor before that day, and has none of then any more, but what took its place. */
export async function factorsAreReplaced(tx: Tx, accountId: string, since: Date): Promise<boolean> {
  const rows = await tx.query<{ are: boolean }>(
    `select second_factor_since < $2 and ${OLDEST} >= $2 as are from auth.account where id = $1`,
    [accountId, since],
  );
  return rows[0]?.are ?? false;
}

/** One that came into use since, or waits. True when it was in use. */
export async function totpDeleteSince(tx: Tx, accountId: string, since: Date): Promise<boolean> {
  const rows = await tx.query<{ wasUsed: boolean }>(
    `delete from auth.totp where account_id = $1 and (confirmed_at is null or confirmed_at >= $2)
     returning confirmed_at is not null as "wasUsed"`,
    [accountId, since],
  );
  return rows[0]?.wasUsed ?? false;
}

/** Replaces all of an account's codes. The caller holds accountLock. */
export async function recoveryCodesPut(tx: Tx, accountId: string, hashes: readonly Buffer[]): Promise<void> {
  await recoveryCodesDelete(tx, accountId);
  await tx.execute(`insert into auth.recovery_code (account_id, hash) select $1, unnest($2::bytea[])`, [
    accountId,
    hashes,
  ]);
}

/** Resolves with how many there were. */
export function recoveryCodesDelete(tx: Tx, accountId: string): Promise<number> {
  return tx.execute(`delete from auth.recovery_code where account_id = $1`, [accountId]);
}

/** Uses a code up: of many at once one does. Resolves with how many are left; undefined when it is none, or used up. */
export async function recoveryCodeUse(
  tx: Tx,
  { accountId, hash }: { accountId: string; hash: Buffer },
): Promise<number | undefined> {
  const used = await tx.execute(
    `update auth.recovery_code set used_at = now() where account_id = $1 and hash = $2 and used_at is null`,
    [accountId, hash],
  );
  return used === 1 ? (await factorsFindIn(tx, accountId)).recoveryCodesLeft : undefined;
}

/** False when the challenge had its effect before. Waits for a use of it under way. */
export async function challengeConsume(
  tx: Tx,
  { id, expiresAtMs }: { id: string; expiresAtMs: number },
): Promise<boolean> {
  const inserted = await tx.execute(
    // A clock that is behind must not take a challenge whose row is gone.
    `insert into auth.used_challenge (id, expires_at) values ($1, to_timestamp($2::float8 / 1000) + interval '2 minutes')
     on conflict (id) do nothing`,
    [id, expiresAtMs],
  );
  return inserted === 1;
}

/** Removes challenges that are over anyhow, at most `limit`. */
export function usedChallengeDeleteExpired(tx: Tx, limit: number): Promise<number> {
  return tx.execute(
    `delete from auth.used_challenge where id in (
       select id from auth.used_challenge where expires_at < now() order by expires_at limit $1 for update skip locked)`,
    [limit],
  );
}
