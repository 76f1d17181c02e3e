// Statements on auth.session. Sessions belong to accounts, so only system transactions see them; each statement that
// acts for somebody says whose account it is.
import type { MemberRole } from "../../security/permissions";
import { systemQuery, type Tx } from "../../db/tenant";
import { NOT_OWN } from "../../security/own-proof";
import { TWICE } from "../factors/methods";
import type { SessionState } from "../refresh-token";
import { ORGANISATION, ROLE, type OrganisationRow } from "./accounts";
import { speakerOf, type SpeakerRow } from "./identity-providers";

/** That of the organisation of a session `s` of an account `a` with a membership `m`. */
const SPEAKER = speakerOf({ tenantId: "m.tenant_id", email: "a.email", vouchedBy: "s.vouched_by" });

export interface NewSession {
  id: string;
  accountId: string;
  /** The organisation that is chosen; null for none. */
  tenantId: string | null;
  lifetimeSeconds: number;
  familyHash: Buffer;
  secretHash: Buffer;
  /** What the browser or program calls itself. */
  device: string | null;
  /** How its person showed who they are. */
  amr: readonly string[];
  /** What of an organisation's provider vouched for its person (auth.identity_provider.vouch_id). */
  vouchId: string | null;
  /** What the password was checked against; undefined for who showed something else. */
  checkedHash?: string | undefined;
}

/** Of an account `a`: whether it asks for a second factor (factors/requirement.ts). */
const ASKS_FOR_FACTOR = `(exists (select from auth.totp t where t.account_id = a.id and t.confirmed_at is not null)
  or exists (select from auth.passkey p where p.account_id = a.id))`;

/**
 * Resolves with when its person showed who they are: now. Undefined for an account that is being deleted, whose password is
 * another by now, or that asks by now for a second factor which was not shown. The share of the account's row makes it wait
 * for a change under way, which then ends it or refuses it: in a statement of its own, so that the next one sees all of it.
 */
export async function sessionInsert(tx: Tx, session: NewSession): Promise<Date | undefined> {
  tx.executeLater(`select 1 from auth.account where id = $1 for share`, [session.accountId]);
  const rows = await tx.query<{ authenticatedAt: Date }>(
    `insert into auth.session (id, account_id, organisation_id, expires_at, family_hash, secret_hash, device, amr, vouched_by)
     select $1::uuid, a.id, $3::uuid, now() + make_interval(secs => $4), $5::bytea, $6::bytea, $7::text, $8::text[],
            array_remove(array[$10::uuid], null)
     from auth.account a where a.id = $2 and a.purge_at is null and ($9::text is null or a.password_hash = $9)
       and ($8::text[] @> $11::text[] or not ${ASKS_FOR_FACTOR})
     returning authenticated_at as "authenticatedAt"`,
    [
      session.id,
      session.accountId,
      session.tenantId,
      session.lifetimeSeconds,
      session.familyHash,
      session.secretHash,
      session.device,
      session.amr,
      session.checkedHash ?? null,
      session.vouchId,
      TWICE,
    ],
  );
  return rows[0]?.authenticatedAt;
}

/** Whether a session is over by the database's clock: its time is up, or nobody has used it for so many seconds. */
const isEnded = (idleSeconds: string): string =>
  `(s.expires_at <= clock_timestamp()
    or coalesce(s.rotated_at[1], s.created_at) <= clock_timestamp() - make_interval(secs => ${idleSeconds}))`;

export interface SessionAuthentication {
  amr: string[];
  authenticatedAt: Date;
}

/** The providers of organisations that one session has met at most: the last count. */
const VOUCHES_MAX = 20;

export interface SessionProof {
  amr: string[];
  /** See NewSession. */
  vouchedBy: string[];
}

/**
 * Notes that the session's person showed again who they are, and how. What an organisation's provider alone says makes no
 * session fresh that was begun by something of the account's own: it would open more than is that organisation's.
 * Undefined when the session is over, or another account's.
 */
export async function sessionSetAuthenticated(
  tx: Tx,
  session: {
    id: string;
    accountId: string;
    amr: readonly string[];
    vouchId: string | null;
    idleSeconds: number;
  },
): Promise<(SessionAuthentication & SessionProof & { tenantId: string | null }) | undefined> {
  const rows = await tx.query<SessionAuthentication & SessionProof & { tenantId: string | null }>(
    `update auth.session s set authenticated_at =
              case when $3::text[] <@ array['${NOT_OWN}'] and not s.amr <@ array['${NOT_OWN}'] then s.authenticated_at
                   else clock_timestamp() end,
            amr = array(select distinct method from unnest(s.amr || $3::text[]) method order by method),
            vouched_by = (array_remove(array[$5::uuid], null) || array_remove(s.vouched_by, $5::uuid))[1:${VOUCHES_MAX}]
     where s.id = $1 and s.account_id = $2 and not ${isEnded("$4")}
     returning s.amr, s.authenticated_at as "authenticatedAt", s.vouched_by as "vouchedBy",
               s.organisation_id as "tenantId"`,
    [session.id, session.accountId, session.amr, session.idleSeconds, session.vouchId],
  );
  return rows[0];
}

/** How a session's person showed who they are; undefined for one of another account. */
export async function sessionProof(
  tx: Tx,
  { id, accountId }: { id: string; accountId: string },
): Promise<SessionProof | undefined> {
  const rows = await tx.query<SessionProof>(
    `select amr, vouched_by as "vouchedBy" from auth.session where id = $1 and account_id = $2`,
    [id, accountId],
  );
  return rows[0];
}

/** A session of the same sign-in, device and end, in another organisation. Undefined when the one it comes of is over. */
export async function sessionInsertSibling(
  tx: Tx,
  of: { id: string; accountId: string; idleSeconds: number },
  sibling: { id: string; tenantId: string; familyHash: Buffer; secretHash: Buffer },
): Promise<SessionAuthentication | undefined> {
  const rows = await tx.query<SessionAuthentication>(
    `insert into auth.session
       (id, account_id, organisation_id, sign_in_id, expires_at, family_hash, secret_hash, device, amr, authenticated_at, vouched_by)
     select $4, s.account_id, $5, coalesce(s.sign_in_id, s.id), s.expires_at, $6, $7, s.device, s.amr, s.authenticated_at, s.vouched_by
     from auth.session s where s.id = $1 and s.account_id = $2 and not ${isEnded("$3")}
     returning amr, authenticated_at as "authenticatedAt"`,
    [of.id, of.accountId, of.idleSeconds, sibling.id, sibling.tenantId, sibling.familyHash, sibling.secretHash],
  );
  return rows[0];
}

/**
 * After `made` was: removes sessions of an account, or of one sign-in, beyond `keep`. Those first that are over, then those that
 * were not refreshed within `workingSeconds`, whose last use is longest ago: signing in again and again, however fast, puts nobody
 * out who goes on using their session. Resolves with their ids.
 */
export async function sessionDeleteSurplus(
  tx: Tx,
  surplus: { accountId: string; of: "account" | "sign-in"; made: string; keep: number; workingSeconds: number },
): Promise<string[]> {
  const { accountId, of, made, keep, workingSeconds } = surplus;
  const rows = await tx.query<{ id: string }>(
    `delete from auth.session where account_id = $1 and id in (
       select s.id from auth.session s where s.account_id = $1 and s.id <> $3
         and ($5 or coalesce(s.sign_in_id, s.id) = (
           select coalesce(o.sign_in_id, o.id) from auth.session o where o.id = $3 and o.account_id = $1))
       order by s.expires_at > now() desc,
         coalesce(s.rotated_at[1] > now() - make_interval(secs => $4), false) desc,
         coalesce(s.rotated_at[1], s.created_at) desc, s.created_at desc
       offset $2 - 1 limit 1000)
     returning id`,
    [accountId, keep, made, workingSeconds, of === "account"],
  );
  return rows.map(({ id }) => id);
}

export type EndReason =
  | "logout"
  | "token_reuse"
  | "password_change"
  | "password_reset"
  | "factor_change"
  | "claimed"
  | "account_deleted"
  | "administrator";

export interface EndedSessionRow {
  id: string;
  /** False for one whose time was up, or that was idle for too long. */
  wasLive: boolean;
}

/**
 * Ends sessions of an account that nobody has ended: of the sign-in that `signInOf` (a session or a sign-in) belongs to, of all
 * but that one, or all. Resolves with those it ended: also those that were over by themselves, whose access tokens may be
 * younger than that.
 */
export function sessionEnd(
  tx: Tx,
  account: {
    accountId: string;
    which: "sign-in" | "others" | "all";
    signInOf: string | null;
    reason: EndReason;
    idleSeconds: number;
  },
): Promise<EndedSessionRow[]> {
  return tx.query<EndedSessionRow>(
    `with sign_in as (
       select coalesce((select coalesce(o.sign_in_id, o.id) from auth.session o where o.id = $2 and o.account_id = $1), $2::uuid) as id),
     before as (
       select s.id, not ${isEnded("$5")} as was_live from auth.session s, sign_in
       where s.account_id = $1 and s.revoked_at is null
         and case $3 when 'sign-in' then coalesce(s.sign_in_id, s.id) = sign_in.id
                     when 'others' then coalesce(s.sign_in_id, s.id) is distinct from sign_in.id
                     else true end)
     update auth.session s set revoked_at = now(), revoked_reason = $4, expires_at = least(s.expires_at, now())
     from before where s.id = before.id
     returning s.id, before.was_live as "wasLive"`,
    [account.accountId, account.signInOf, account.which, account.reason, account.idleSeconds],
  );
}

/** Whether this session of the account is live. True only under accountLock. */
export async function sessionIsLive(
  tx: Tx,
  { id, accountId, idleSeconds }: { id: string; accountId: string; idleSeconds: number },
): Promise<boolean> {
  const sql = `select 1 from auth.session s where s.id = $1 and s.account_id = $2 and not ${isEnded("$3")}`;
  return (await tx.query(sql, [id, accountId, idleSeconds])).length > 0;
}

export interface SignInRow {
  id: string;
  device: string | null;
  createdAt: Date;
  lastUsedAt: Date;
  expiresAt: Date;
  isCurrent: boolean;
}

/** The live sign-ins of an account, the last used first. */
export async function sessionListSignIns(
  accountId: string,
  current: string | null,
  idleSeconds: number,
): Promise<SignInRow[]> {
  return systemQuery<SignInRow>(
    "sessions-of-the-caller",
    `select coalesce(s.sign_in_id, s.id) as id, max(s.device) as device, min(s.created_at) as "createdAt",
            max(coalesce(s.rotated_at[1], s.created_at)) as "lastUsedAt", max(s.expires_at) as "expiresAt",
            bool_or(s.id is not distinct from $2::uuid) as "isCurrent"
     from auth.session s where s.account_id = $1 and not ${isEnded("$3")}
     group by 1 order by "lastUsedAt" desc limit 200`,
    [accountId, current, idleSeconds],
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

export interface PresentedSessionRow extends SessionState, SessionAuthentication {
  accountId: string;
  email: string;
  tenantId: string | null;
  /** Null where none is chosen, or the account is no member of it any more. */
  organisation: OrganisationRow | null;
  /** That organisation's provider, where it speaks for the account. */
  speaker: SpeakerRow | null;
}

/**
 * The session of a presented token, if the token is of its family, with whom it is for. Locks the session, so that of
 * two requests with one token the second sees what the first did.
 */
export async function sessionFindForUpdate(
  tx: Tx,
  { id, familyHash, idleSeconds }: { id: string; familyHash: Buffer; idleSeconds: number },
): Promise<PresentedSessionRow | undefined> {
  const rows = await tx.query<PresentedSessionRow>(
    `select ${isEnded("$3")} as "isEnded", s.generation,
            s.secret_hash as "secretHash", s.successor_salt as "successorSalt",
            array(select (extract(epoch from clock_timestamp() - at) * 1000)::float8
                  from unnest(s.rotated_at) with ordinality as rotation (at, n) order by n) as "rotationAgesMs",
            s.amr, s.authenticated_at as "authenticatedAt",
            a.id as "accountId", a.email, s.organisation_id as "tenantId", ${ORGANISATION} as organisation,
            ${SPEAKER} as speaker
     from auth.session s
     join auth.account a on a.id = s.account_id
     left join (auth.membership m join auth.organisation o on o.id = m.tenant_id and o.purge_at is null)
       on m.tenant_id = s.organisation_id and m.account_id = s.account_id
     ${ROLE}
     where s.id = $1 and s.family_hash = $2
     for update of s`,
    [id, familyHash, idleSeconds],
  );
  return rows[0];
}

export interface PlacedSessionRow {
  id: string;
  accountId: string;
  role: MemberRole;
  amr: string[];
  /** The organisation's provider, where it speaks for the account. */
  speaker: SpeakerRow | null;
}

const PLACED = `
  select s.id, s.account_id as "accountId", m.role, s.amr, ${SPEAKER} as speaker
    from auth.session s
    join auth.account a on a.id = s.account_id
    join auth.membership m on m.tenant_id = s.organisation_id and m.account_id = s.account_id
   where s.organisation_id = $1 and s.expires_at > now()`;

/** Sessions of members in an organisation that have not ended, by id, behind `after`. Those that begin meanwhile wait for membershipLock. */
export function sessionListIn(
  tx: Tx,
  { tenantId, after, limit }: { tenantId: string; after: string; limit: number },
): Promise<PlacedSessionRow[]> {
  return tx.query<PlacedSessionRow>(`${PLACED} and s.id > $2 order by s.id limit $3`, [tenantId, after, limit]);
}

/** One of those, of this account; undefined when it is in another organisation or has ended. */
export async function sessionFindIn(
  tx: Tx,
  { tenantId, accountId, id }: { tenantId: string; accountId: string; id: string },
): Promise<PlacedSessionRow | undefined> {
  const rows = await tx.query<PlacedSessionRow>(`${PLACED} and s.id = $2 and s.account_id = $3`, [
    tenantId,
    id,
    accountId,
  ]);
  return rows[0];
}

export interface HeldSessionRow {
  id: string;
  accountId: string;
  email: string;
  /** Null where none is chosen, or the account is no member of it any more. */
  organisation: OrganisationRow | null;
  amr: string[];
  /** That organisation's provider, where it speaks for the account. */
  speaker: SpeakerRow | null;
}

/** Those of the presented sessions (as many ids as families) whose family fits and that are not over, with whom they are for. */
export async function sessionListHeld(
  tx: Tx,
  { ids, familyHashes, idleSeconds }: { ids: string[]; familyHashes: Buffer[]; idleSeconds: number },
): Promise<HeldSessionRow[]> {
  return tx.query<HeldSessionRow>(
    `select s.id, a.id as "accountId", a.email, s.amr, ${ORGANISATION} as organisation, ${SPEAKER} as speaker
     from unnest($1::uuid[], $2::bytea[]) as held (id, family_hash)
     join auth.session s on s.id = held.id and s.family_hash = held.family_hash and not ${isEnded("$3")}
     join auth.account a on a.id = s.account_id
     left join (auth.membership m join auth.organisation o on o.id = m.tenant_id and o.purge_at is null)
       on m.tenant_id = s.organisation_id and m.account_id = s.account_id
     ${ROLE}
     limit 10`,
    [ids, familyHashes, idleSeconds],
  );
}

/** The next generation over the last. The caller holds the row's lock. */
export async function sessionRotate(
  tx: Tx,
  session: { id: string; secretHash: Buffer; successorSalt: Buffer },
): Promise<void> {
  await tx.execute(
    `update auth.session set generation = generation + 1, secret_hash = $2, successor_salt = $3,
            rotated_at = (clock_timestamp() || rotated_at)[1:8]
     where id = $1`,
    [session.id, session.secretHash, session.successorSalt],
  );
}
