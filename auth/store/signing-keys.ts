// Statements on auth.signing_key, which only the system sees.
import type { JWK } from "jose";
import type { Tx } from "../../db/tenant";
import { systemQuery } from "../../db/tenant";

export interface SigningKeyRow {
  kid: string;
  publicJwk: JWK;
  privateWrapped: Buffer;
  createdAt: Date;
  /** Null for the one key that signs. */
  verifyUntil: Date | null;
}

/** The keys whose tokens may still be valid, the signing one first. */
export async function signingKeyList(now: Date): Promise<SigningKeyRow[]> {
  return systemQuery<SigningKeyRow>(
    "load-signing-keys",
    `select kid, public_jwk as "publicJwk", private_wrapped as "privateWrapped", created_at as "createdAt", verify_until as "verifyUntil"
     from auth.signing_key
     where verify_until is null or verify_until > $1
     order by verify_until desc nulls first
     limit 20`,
    [now],
  );
}

/** Serialises whoever makes or rotates keys, until the transaction ends. */
export async function signingKeyLock(tx: Tx): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('auth.signing_key', 0))`);
}

/** When the signing key was made; undefined when there is none. */
export async function signingKeyCurrent(tx: Tx): Promise<Date | undefined> {
  const rows = await tx.query<{ createdAt: Date }>(
    `select created_at as "createdAt" from auth.signing_key where verify_until is null limit 1`,
  );
  return rows[0]?.createdAt;
}

/** The signing key stops signing; its tokens are verified until `verifyUntil`. */
export async function signingKeyRetire(tx: Tx, verifyUntil: Date): Promise<void> {
  await tx.execute(`update auth.signing_key set verify_until = $1 where verify_until is null`, [verifyUntil]);
}

export async function signingKeyInsert(
  tx: Tx,
  key: Pick<SigningKeyRow, "kid" | "publicJwk" | "privateWrapped" | "createdAt">,
): Promise<void> {
  await tx.execute(
    `insert into auth.signing_key (kid, public_jwk, private_wrapped, created_at) values ($1, $2, $3, $4)`,
    [key.kid, key.publicJwk, key.privateWrapped, key.createdAt],
  );
}

/** Removes keys whose last token expired more than `keepDays` ago. */
export async function signingKeyDeleteEnded(tx: Tx, keepDays: number, limit: number): Promise<number> {
  return tx.execute(
    `delete from auth.signing_key where kid in (
       select kid from auth.signing_key where verify_until < now() - make_interval(days => $1) limit $2)`,
    [keepDays, limit],
  );
}
