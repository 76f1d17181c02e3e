// Statements on auth.operator and auth.operator_session: the platform's staff, and where they are signed in.
import { systemQuery, type Tx } from "../../db/tenant";

export interface OperatorRow {
  id: string;
  email: string;
  permissions: string[];
  passwordHash: string | null;
  totpSealed: Buffer | null;
  totpStep: number | null;
  totpFailures: number;
  isActive: boolean;
  knownPlaces: Buffer[];
}

const ROW = `id, email, permissions, password_hash as "passwordHash", totp_sealed as "totpSealed", totp_step::float8 as "totpStep",
  totp_failures as "totpFailures", activated_at is not null as "isActive", known_places as "knownPlaces"`;

export interface ListedOperator {
  id: string;
  email: string;
  permissions: string[];
  createdAt: Date;
  activatedAt: Date | null;
  lastUsedAt: Date | null;
}

/** All of them: staff are few. */
export function operatorList(tx: Tx, limit: number): Promise<ListedOperator[]> {
  return tx.query<ListedOperator>(
    `select o.id, o.email, o.permissions, o.created_at as "createdAt", o.activated_at as "activatedAt",
            (select max(s.last_used_at) from auth.operator_session s where s.operator_id = o.id) as "lastUsedAt"
     from auth.operator o order by o.email limit $1`,
    [limit],
  );
}

/** False when there is one of this e-mail. */
export async function operatorInsert(
  tx: Tx,
  o: { id: string; email: string; permissions: readonly string[]; setupHash: Buffer; setupSeconds: number },
): Promise<boolean> {
  const inserted = await tx.execute(
    `insert into auth.operator (id, email, permissions, setup_hash, setup_expires_at)
     values ($1, $2, $3, $4, now() + make_interval(secs => $5)) on conflict (email) do nothing`,
    [o.id, o.email, [...o.permissions], o.setupHash, o.setupSeconds],
  );
  return inserted === 1;
}

/** Takes the credentials away and gives another set-up; resolves with the id. Undefined when there is none of this e-mail. */
export async function operatorReset(
  tx: Tx,
  o: { email: string; setupHash: Buffer; setupSeconds: number },
): Promise<string | undefined> {
  const rows = await tx.query<{ id: string }>(
    `update auth.operator set activated_at = null, password_hash = null, totp_sealed = null, totp_step = null, totp_failures = 0, known_places = '{}',
            setup_hash = $2, setup_expires_at = now() + make_interval(secs => $3)
     where email = $1 returning id`,
    [o.email, o.setupHash, o.setupSeconds],
  );
  return rows[0]?.id;
}

/** With their sessions; resolves with the id. */
export async function operatorDelete(tx: Tx, email: string): Promise<string | undefined> {
  const rows = await tx.query<{ id: string }>(`delete from auth.operator where email = $1 returning id`, [email]);
  return rows[0]?.id;
}

export async function operatorFindByEmail(email: string): Promise<OperatorRow | undefined> {
  const rows = await systemQuery<OperatorRow>("operator-sign-in", `select ${ROW} from auth.operator where email = $1`, [
    email,
  ]);
  return rows[0];
}

/** Empty for one who is gone. */
export async function operatorFindEmail(id: string): Promise<string> {
  const rows = await systemQuery<{ email: string }>(
    "operator-session",
    `select email from auth.operator where id = $1`,
    [id],
  );
  return rows[0]?.email ?? "";
}

export async function operatorFindForUpdate(tx: Tx, id: string): Promise<OperatorRow | undefined> {
  const rows = await tx.query<OperatorRow>(`select ${ROW} from auth.operator where id = $1 for update`, [id]);
  return rows[0];
}

/** Whose set-up it is, while it is good. */
export async function operatorFindBySetup(tx: Tx, setupHash: Buffer): Promise<OperatorRow | undefined> {
  const rows = await tx.query<OperatorRow>(
    `select ${ROW} from auth.operator where setup_hash = $1 and setup_expires_at > now() for update`,
    [setupHash],
  );
  return rows[0];
}

export async function operatorSetCredentials(
  tx: Tx,
  o: { id: string; passwordHash: string; totpSealed: Buffer },
): Promise<void> {
  await tx.execute(
    `update auth.operator set password_hash = $2, totp_sealed = $3 where id = $1 and setup_hash is not null`,
    [o.id, o.passwordHash, o.totpSealed],
  );
}

export async function operatorActivate(tx: Tx, o: { id: string; totpStep: number }): Promise<void> {
  await tx.execute(
    `update auth.operator set activated_at = now(), setup_hash = null, setup_expires_at = null, totp_step = $2, totp_failures = 0 where id = $1`,
    [o.id, o.totpStep],
  );
}

/** Uses a code's step up. The caller holds the row's lock. */
export async function operatorUseStep(tx: Tx, o: { id: string; totpStep: number }): Promise<void> {
  await tx.execute(`update auth.operator set totp_step = $2, totp_failures = 0 where id = $1`, [o.id, o.totpStep]);
}

/** Notes where the operator signed in, before the ten others of most late. The caller holds the row's lock. */
export function operatorNotePlace(tx: Tx, id: string, place: Buffer): void {
  tx.executeLater(
    `update auth.operator set known_places = (array[$2::bytea] || array_remove(known_places, $2))[1:10]
     where id = $1 and known_places[1] is distinct from $2`,
    [id, place],
  );
}

/** Adds wrong codes, also none; answers how many there are in a row. 0 for nobody. */
export async function operatorCountFailure(tx: Tx, id: string, more: 0 | 1): Promise<number> {
  const rows = await tx.query<{ failures: number }>(
    `update auth.operator set totp_failures = totp_failures + $2 where id = $1 returning totp_failures as failures`,
    [id, more],
  );
  return rows[0]?.failures ?? 0;
}

/** Locks the secrets that another key than this one sealed. */
export async function operatorListSealedByOthers(
  tx: Tx,
  { keyId, limit }: { keyId: Buffer; limit: number },
): Promise<{ id: string; totpSealed: Buffer }[]> {
  return tx.query(
    `select id, totp_sealed as "totpSealed" from auth.operator
     where totp_sealed is not null and substring(totp_sealed from 2 for 4) <> $1 order by id limit $2 for update`,
    [keyId, limit],
  );
}

/** The same secret in another envelope. The caller holds its lock. */
export async function operatorReseal(tx: Tx, o: { id: string; totpSealed: Buffer }): Promise<void> {
  await tx.execute(`update auth.operator set totp_sealed = $2 where id = $1`, [o.id, o.totpSealed]);
}

/** A session, of which an operator has `keep` at most: the oldest go. */
export async function operatorSessionInsert(
  tx: Tx,
  s: { id: string; operatorId: string; hash: Buffer; lifetimeSeconds: number; keep: number; isProvenToItsEnd: boolean },
): Promise<void> {
  await tx.execute(
    `insert into auth.operator_session (id, operator_id, hash, expires_at, proven_at)
     values ($1, $2, $3, now() + make_interval(secs => $4), now() + case when $5 then make_interval(secs => $4) else '0' end)`,
    [s.id, s.operatorId, s.hash, s.lifetimeSeconds, s.isProvenToItsEnd],
  );
  await tx.execute(
    `delete from auth.operator_session where id in (
       select id from auth.operator_session where operator_id = $1 order by created_at desc, id desc offset $2)`,
    [s.operatorId, s.keep],
  );
}

/**
 * The session goes on under another token, proven now, and ends when it did: resolves with the whole seconds until then. Undefined
 * when it is over, or of another operator.
 */
export async function operatorSessionProve(
  tx: Tx,
  s: { id: string; operatorId: string; hash: Buffer },
): Promise<number | undefined> {
  const rows = await tx.query<{ secondsLeft: number }>(
    `update auth.operator_session set hash = $3, proven_at = now(), last_used_at = now()
     where id = $1 and operator_id = $2 and expires_at > now()
     returning floor(extract(epoch from expires_at - now()))::int as "secondsLeft"`,
    [s.id, s.operatorId, s.hash],
  );
  return rows[0]?.secondsLeft;
}

interface UsedSession {
  id: string;
  operatorId: string;
  permissions: string[];
  /** Seconds since 1970. */
  provenAt: number;
}

/** Whose session it is, while it is good and not of `unknownEmail`; says that it was used where this is a use. */
export async function operatorSessionUse(
  hash: Buffer,
  { idleSeconds, unknownEmail, isUse }: { idleSeconds: number; unknownEmail: string | null; isUse: boolean },
): Promise<UsedSession | undefined> {
  const rows = await systemQuery<UsedSession>(
    "operator-session",
    `with found as (
       select s.id, o.id as operator_id, o.permissions, s.last_used_at, s.proven_at, s.expires_at
         from auth.operator_session s join auth.operator o on o.id = s.operator_id and o.activated_at is not null
        where s.hash = $1 and s.expires_at > now() and s.last_used_at > now() - make_interval(secs => $2)
          and o.email is distinct from $3
     ), noted as (
       update auth.operator_session s set last_used_at = now() from found
        where s.id = found.id and found.last_used_at < now() - interval '1 minute' and $4)
     select id, operator_id as "operatorId", permissions, extract(epoch from proven_at)::float8 as "provenAt" from found`,
    [hash, idleSeconds, unknownEmail, isUse],
  );
  return rows[0];
}

export async function operatorSessionDelete(tx: Tx, id: string): Promise<void> {
  await tx.execute(`delete from auth.operator_session where id = $1`, [id]);
}

export async function operatorSessionDeleteAll(tx: Tx, operatorId: string): Promise<void> {
  await tx.execute(`delete from auth.operator_session where operator_id = $1`, [operatorId]);
}

/** Removes sessions that are over, at most `limit`. */
export function operatorSessionDeleteExpired(tx: Tx, limit: number): Promise<number> {
  return tx.execute(
    `delete from auth.operator_session where id in (
       select id from auth.operator_session where expires_at < now() order by expires_at limit $1 for update skip locked)`,
    [limit],
  );
}

export interface SeenOrganisation {
  id: string;
  name: string;
  createdAt: Date;
  members: number;
  /** Of one that its owner deleted. */
  purgeAt: Date | null;
}

const SEEN = `o.id, o.name, o.created_at as "createdAt", o.purge_at as "purgeAt",
  (select count(*)::int from auth.membership m where m.tenant_id = o.id) as members`;

/** The organisations of who has this e-mail, in the order of their ids. */
export function organisationListByEmail(tx: Tx, email: string, limit: number): Promise<SeenOrganisation[]> {
  return tx.query<SeenOrganisation>(
    `select ${SEEN} from auth.account a join auth.membership own on own.account_id = a.id
       join auth.organisation o on o.id = own.tenant_id where a.email = $1 order by o.id limit $2`,
    [email, limit],
  );
}

export async function organisationExists(id: string): Promise<boolean> {
  const rows = await systemQuery("operator-look-up", `select 1 from auth.organisation where id = $1`, [id]);
  return rows.length > 0;
}

export async function organisationSee(tx: Tx, id: string): Promise<SeenOrganisation | undefined> {
  const rows = await tx.query<SeenOrganisation>(`select ${SEEN} from auth.organisation o where o.id = $1`, [id]);
  return rows[0];
}

export interface SeenMember {
  id: string;
  role: string;
  since: Date;
}

/** Ids and roles, the oldest member first: e-mails stand in accounts, which no tenant's transaction reads. */
export function memberSee(tx: Tx, tenantId: string, limit: number): Promise<SeenMember[]> {
  return tx.query<SeenMember>(
    `select account_id as id, role, created_at as since from auth.membership
     where tenant_id = $1 order by created_at, account_id limit $2`,
    [tenantId, limit],
  );
}
