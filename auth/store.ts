// The SQL of the auth service: one statement a function. Lookups before the tenant is known run in system
// scope; everything else is bound to the tenant by row security.
import type { JWK } from "jose";
import type { Role } from "../security/permissions";
import type { Tx } from "../db/tenant";
import { systemQuery } from "../db/tenant";
import type { SessionState } from "./refresh-token";

export interface AccountRow {
  id: string;
  email: string;
  passwordHash: string;
  tenantId: string;
  organisation: string;
  role: Role;
}

/** The account of a normalised e-mail with its oldest membership. */
export async function accountFindByEmail(email: string): Promise<AccountRow | undefined> {
  const rows = await systemQuery<AccountRow>(
    "sign-in-before-tenant-known",
    `select a.id, a.email, a.password_hash as "passwordHash", m.tenant_id as "tenantId", m.role, o.name as organisation
     from auth.account a
     join auth.membership m on m.account_id = a.id
     join auth.organisation o on o.id = m.tenant_id
     where a.email = $1
     order by m.created_at, m.tenant_id
     limit 1`,
    [email],
  );
  return rows[0];
}

/** False when the e-mail is taken; then nothing is written. Waits for a registration of the same e-mail under way. */
export async function accountInsert(
  tx: Tx,
  account: { id: string; email: string; passwordHash: string; createdAt: Date },
): Promise<boolean> {
  const inserted = await tx.execute(
    `insert into auth.account (id, email, password_hash, created_at) values ($1, $2, $3, $4)
     on conflict on constraint account_email_key do nothing`,
    [account.id, account.email, account.passwordHash, account.createdAt],
  );
  return inserted === 1;
}

export async function organisationInsert(
  tx: Tx,
  organisation: { id: string; name: string; createdAt: Date },
): Promise<void> {
  await tx.execute(`insert into auth.organisation (id, name, created_at) values ($1, $2, $3)`, [
    organisation.id,
    organisation.name,
    organisation.createdAt,
  ]);
}

export async function membershipInsert(
  tx: Tx,
  membership: { tenantId: string; accountId: string; role: Role; createdAt: Date },
): Promise<void> {
  await tx.execute(`insert into auth.membership (tenant_id, account_id, role, created_at) values ($1, $2, $3, $4)`, [
    membership.tenantId,
    membership.accountId,
    membership.role,
    membership.createdAt,
  ]);
}

export interface NewSession {
  id: string;
  tenantId: string;
  accountId: string;
  lifetimeSeconds: number;
  familyHash: Buffer;
  secretHash: Buffer;
}

export async function sessionInsert(tx: Tx, session: NewSession): Promise<void> {
  await tx.execute(
    `insert into auth.session (id, tenant_id, account_id, expires_at, family_hash, secret_hash)
     values ($1, $2, $3, now() + make_interval(secs => $4), $5, $6)`,
    [session.id, session.tenantId, session.accountId, session.lifetimeSeconds, session.familyHash, session.secretHash],
  );
}

/** Removes the oldest sessions of an account beyond the `keep` newest. */
export async function sessionDeleteSurplus(
  tx: Tx,
  { tenantId, accountId, keep }: { tenantId: string; accountId: string; keep: number },
): Promise<number> {
  return tx.execute(
    `delete from auth.session where tenant_id = $1 and id in (
       select id from auth.session where tenant_id = $1 and account_id = $2
       order by created_at desc offset $3 limit 1000)`,
    [tenantId, accountId, keep],
  );
}

/** Ends a session; a session that has ended keeps its first reason. */
export async function sessionRevoke(
  tx: Tx,
  session: { tenantId: string; id: string; reason: "logout" | "token_reuse" },
): Promise<void> {
  await tx.execute(
    `update auth.session set revoked_at = now(), revoked_reason = $3, expires_at = least(expires_at, now())
     where tenant_id = $1 and id = $2 and revoked_at is null`,
    [session.tenantId, session.id, session.reason],
  );
}

/** Removes sessions that ended more than `keepDays` ago, oldest first, at most `limit`; leaves those that are locked. */
export async function sessionDeleteEnded(tx: Tx, keepDays: number, limit: number): Promise<number> {
  return tx.execute(
    `delete from auth.session where id in (
       select id from auth.session where expires_at < now() - make_interval(days => $1)
       order by expires_at limit $2 for update skip locked)`,
    [keepDays, limit],
  );
}

export interface PresentedSessionRow extends SessionState {
  tenantId: string;
  accountId: string;
  email: string;
  role: Role;
  organisation: string;
}

/**
 * The session of a presented token, if the token is of its family, with whom it is for. Locks the session, so that of
 * two requests with one token the second sees what the first did.
 */
export async function sessionFindForUpdate(
  tx: Tx,
  { id, familyHash }: { id: string; familyHash: Buffer },
): Promise<PresentedSessionRow | undefined> {
  const rows = await tx.query<PresentedSessionRow>(
    `select s.tenant_id as "tenantId", s.expires_at <= clock_timestamp() as "isEnded", s.generation,
            s.secret_hash as "secretHash", s.successor_salt as "successorSalt",
            array(select (extract(epoch from clock_timestamp() - at) * 1000)::float8
                  from unnest(s.rotated_at) with ordinality as rotation (at, n) order by n) as "rotationAgesMs",
            a.id as "accountId", a.email, m.role, o.name as organisation
     from auth.session s
     join auth.account a on a.id = s.account_id
     join auth.membership m on m.tenant_id = s.tenant_id and m.account_id = s.account_id
     join auth.organisation o on o.id = s.tenant_id
     where s.id = $1 and s.family_hash = $2
     for update of s`,
    [id, familyHash],
  );
  return rows[0];
}

/** The next generation over the last. The caller holds the row's lock. */
export async function sessionRotate(
  tx: Tx,
  session: { tenantId: string; id: string; secretHash: Buffer; successorSalt: Buffer },
): Promise<void> {
  await tx.execute(
    `update auth.session set generation = generation + 1, secret_hash = $3, successor_salt = $4,
            rotated_at = (clock_timestamp() || rotated_at)[1:8]
     where tenant_id = $1 and id = $2`,
    [session.tenantId, session.id, session.secretHash, session.successorSalt],
  );
}

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
