// Statements on auth.signing_key, which only the system sees. Times are the database's, in milliseconds since 1970.
import type { JWK } from "jose";
import type { Tx } from "../../db/tenant";
import { systemQuery } from "../../db/tenant";
import type { KeyTimes } from "../key-schedule";

export interface SigningKeyRow extends KeyTimes {
  publicJwk: JWK;
  privateWrapped: Buffer;
}

export interface SigningKeysRead {
  /** The database's clock when it answered. */
  databaseMs: number;
  keys: SigningKeyRow[];
}

/** No rotation makes more of them (key-schedule.ts). */
const READ_MAX = 200;

/** One row even when there is no key, for the clock. */
const READ = `
  select extract(epoch from clock_timestamp())::float8 * 1000 as "databaseMs", k.*
  from (select 1) one left join (
    select kid, algorithm, public_jwk as "publicJwk", private_wrapped as "privateWrapped",
           extract(epoch from published_at)::float8 * 1000 as "publishedAtMs",
           extract(epoch from signs_from)::float8 * 1000 as "signsFromMs",
           extract(epoch from verify_until)::float8 * 1000 as "verifyUntilMs"
    from auth.signing_key
    where verify_until is null or verify_until > clock_timestamp()
    order by published_at desc limit ${READ_MAX}) k on true`;

type ReadRow = { databaseMs: number } & (SigningKeyRow | { kid: null });

function keysIn(rows: readonly ReadRow[]): SigningKeysRead {
  const [first] = rows;
  if (first === undefined) throw new Error("a left join from one row answered none");
  return { databaseMs: first.databaseMs, keys: rows.filter((row): row is ReadRow & SigningKeyRow => row.kid !== null) };
}

/** The keys that stand by, sign or verify. */
export async function signingKeyList(): Promise<SigningKeysRead> {
  return keysIn(await systemQuery<ReadRow>("load-signing-keys", READ));
}

/** The same, and nobody else makes, schedules or revokes keys until the transaction ends. */
export async function signingKeyListLocked(tx: Tx): Promise<SigningKeysRead> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('auth.signing_key', 0))`);
  return keysIn(await tx.query<ReadRow>(READ));
}

/** Published by the commit; it stands by. */
export async function signingKeyInsert(
  tx: Tx,
  key: Pick<SigningKeyRow, "kid" | "algorithm" | "publicJwk" | "privateWrapped">,
): Promise<void> {
  await tx.execute(
    `insert into auth.signing_key (kid, algorithm, public_jwk, private_wrapped, published_at)
     values ($1, $2, $3, $4, clock_timestamp())`,
    [key.kid, key.algorithm, key.publicJwk, key.privateWrapped],
  );
}

export async function signingKeySetTimes(
  tx: Tx,
  { kid, signsFromMs, verifyUntilMs }: Pick<KeyTimes, "kid" | "signsFromMs" | "verifyUntilMs">,
): Promise<void> {
  await tx.execute(
    `update auth.signing_key set signs_from = to_timestamp($2::float8 / 1000), verify_until = to_timestamp($3::float8 / 1000)
     where kid = $1`,
    [kid, signsFromMs, verifyUntilMs],
  );
}

/** The same private key in another envelope, unless somebody else was first. */
export async function signingKeyReseal(
  tx: Tx,
  { kid, from, to }: { kid: string; from: Buffer; to: Buffer },
): Promise<number> {
  return tx.execute(`update auth.signing_key set private_wrapped = $3 where kid = $1 and private_wrapped = $2`, [
    kid,
    from,
    to,
  ]);
}

export async function signingKeyDelete(tx: Tx, kid: string): Promise<number> {
  return tx.execute(`delete from auth.signing_key where kid = $1`, [kid]);
}

/** Removes keys whose last token expired more than `keepDays` ago. */
export async function signingKeyDeleteEnded(tx: Tx, keepDays: number, limit: number): Promise<number> {
  return tx.execute(
    `delete from auth.signing_key where kid in (
       select kid from auth.signing_key where verify_until < now() - make_interval(days => $1) limit $2)`,
    [keepDays, limit],
  );
}
