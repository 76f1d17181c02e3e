// The SQL of the auth service: one statement a function. Lookups before the tenant is known run in system
// scope; everything else is bound to the tenant by row security.
import type { JWK } from "jose";
import type { Role } from "../security/permissions";
import type { Tx } from "../db/tenant";
import { systemQuery } from "../db/tenant";

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
  createdAt: Date;
  expiresAt: Date;
}

export async function sessionInsert(tx: Tx, session: NewSession): Promise<void> {
  await tx.execute(
    `insert into auth.session (id, tenant_id, account_id, created_at, expires_at) values ($1, $2, $3, $4, $5)`,
    [session.id, session.tenantId, session.accountId, session.createdAt, session.expiresAt],
  );
}

/** Ends a session; a session that has ended keeps its first reason. */
export async function sessionRevoke(
  tx: Tx,
  session: { tenantId: string; id: string; reason: "logout" | "token_reuse"; at: Date },
): Promise<void> {
  await tx.execute(
    `update auth.session set revoked_at = $3, revoked_reason = $4
     where tenant_id = $1 and id = $2 and revoked_at is null`,
    [session.tenantId, session.id, session.at, session.reason],
  );
}

/** Removes sessions (and by cascade their tokens) that ended before `before`; at most `limit` of them. */
export async function sessionDeleteExpired(tx: Tx, before: Date, limit: number): Promise<number> {
  return tx.execute(
    `delete from auth.session where id in (select id from auth.session where expires_at < $1 order by expires_at limit $2)`,
    [before, limit],
  );
}

export async function refreshTokenInsert(
  tx: Tx,
  token: { hash: Buffer; tenantId: string; sessionId: string; issuedAt: Date },
): Promise<void> {
  await tx.execute(
    `insert into auth.refresh_token (token_hash, tenant_id, session_id, issued_at) values ($1, $2, $3, $4)`,
    [token.hash, token.tenantId, token.sessionId, token.issuedAt],
  );
}

export interface PresentedTokenRow {
  tenantId: string;
  sessionId: string;
  usedAt: Date | null;
  sessionExpiresAt: Date;
  sessionRevokedAt: Date | null;
  accountId: string;
  email: string;
  role: Role;
  organisation: string;
}

/**
 * A presented token with its session and whom it is for. Locks token and session, so that of two requests
 * with one token the second sees what the first did.
 */
export async function refreshTokenFindForUpdate(tx: Tx, hash: Buffer): Promise<PresentedTokenRow | undefined> {
  const rows = await tx.query<PresentedTokenRow>(
    `select t.tenant_id as "tenantId", t.session_id as "sessionId", t.used_at as "usedAt",
            s.expires_at as "sessionExpiresAt", s.revoked_at as "sessionRevokedAt",
            a.id as "accountId", a.email, m.role, o.name as organisation
     from auth.refresh_token t
     join auth.session s on s.id = t.session_id
     join auth.account a on a.id = s.account_id
     join auth.membership m on m.tenant_id = s.tenant_id and m.account_id = s.account_id
     join auth.organisation o on o.id = s.tenant_id
     where t.token_hash = $1
     for update of t, s`,
    [hash],
  );
  return rows[0];
}

export async function refreshTokenMarkUsed(tx: Tx, token: { hash: Buffer; tenantId: string; at: Date }): Promise<void> {
  await tx.execute(
    `update auth.refresh_token set used_at = $3 where tenant_id = $1 and token_hash = $2 and used_at is null`,
    [token.tenantId, token.hash, token.at],
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
