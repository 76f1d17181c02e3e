// Statements on auth.membership, and on what tells of those that ended. Those that name e-mails run in a system transaction, bound to the tenant by themselves.
import type { MemberRole } from "../../security/permissions";
import { systemQuery, type Tx } from "../../db/tenant";
import { beforeCursor, cursorMicros, cursorParams, type Cursor, type CursorRow } from "../../db/cursor";
import { REVISION, ROLE, type OrganisationRow } from "./accounts";

export async function membershipInsert(
  tx: Tx,
  membership: { tenantId: string; accountId: string; role: MemberRole; roleId?: string | null; createdAt: Date },
): Promise<void> {
  const { tenantId, accountId, role, roleId = null, createdAt } = membership;
  await tx.execute(
    `with back as (delete from auth.ended_membership where tenant_id = $1 and account_id = $2)
     insert into auth.membership (tenant_id, account_id, role, role_id, created_at) values ($1, $2, $3, $4, $5)`,
    [tenantId, accountId, role, roleId, createdAt],
  );
}

const OF_ACCOUNT = `select o.id, o.name, m.role, m.role_id as "roleId", r.permissions as "rolePermissions",
    ${REVISION}::float8 as revision
  from auth.membership m join auth.organisation o on o.id = m.tenant_id and o.purge_at is null ${ROLE}`;

/** The organisations of an account, the oldest membership first. */
export async function membershipListOfAccount(accountId: string, limit: number): Promise<OrganisationRow[]> {
  return systemQuery<OrganisationRow>(
    "organisations-of-the-caller",
    `${OF_ACCOUNT} where m.account_id = $1 order by m.created_at, m.tenant_id limit $2`,
    [accountId, limit],
  );
}

/** Undefined when the account is no member, or the organisation is being deleted. */
export async function membershipFind(
  tx: Tx,
  { tenantId, accountId }: { tenantId: string; accountId: string },
): Promise<OrganisationRow | undefined> {
  const rows = await tx.query<OrganisationRow>(`${OF_ACCOUNT} where m.tenant_id = $1 and m.account_id = $2`, [
    tenantId,
    accountId,
  ]);
  return rows[0];
}

/** The oldest of an account's memberships but for one; undefined when it has no other in a live organisation. */
export async function membershipFindOther(
  tx: Tx,
  { tenantId, accountId }: { tenantId: string; accountId: string },
): Promise<OrganisationRow | undefined> {
  const rows = await tx.query<OrganisationRow>(
    `${OF_ACCOUNT} where m.account_id = $2 and m.tenant_id <> $1 order by m.created_at, m.tenant_id limit 1`,
    [tenantId, accountId],
  );
  return rows[0];
}

/** Whether the account is a member of another organisation, one that is being deleted included. */
export async function membershipHasOther(
  tx: Tx,
  { tenantId, accountId }: { tenantId: string; accountId: string },
): Promise<boolean> {
  const rows = await tx.query(`select 1 from auth.membership where account_id = $2 and tenant_id <> $1 limit 1`, [
    tenantId,
    accountId,
  ]);
  return rows.length > 0;
}

/** Whether the account owns this organisation, and it is being deleted. */
export async function membershipIsOwnerOfClosing(
  tx: Tx,
  { tenantId, accountId }: { tenantId: string; accountId: string },
): Promise<boolean> {
  const rows = await tx.query(
    `select 1 from auth.membership m join auth.organisation o on o.id = m.tenant_id
     where m.tenant_id = $1 and m.account_id = $2 and m.role = 'owner' and o.purge_at > clock_timestamp()`,
    [tenantId, accountId],
  );
  return rows.length > 0;
}

/** Gives these members a new revision; resolves with them. */
export function membershipBump(
  tx: Tx,
  tenantId: string,
  accountIds: readonly string[],
): Promise<{ accountId: string; revision: number }[]> {
  return tx.query(
    `update auth.membership set revision = nextval('auth.membership_revision')
     where tenant_id = $1 and account_id = any($2::uuid[])
     returning account_id as "accountId", revision::float8 as revision`,
    [tenantId, accountIds],
  );
}

/** Whether somebody with this address is a member. */
export async function membershipFindByEmail(tx: Tx, tenantId: string, email: string): Promise<boolean> {
  const rows = await tx.query(
    `select 1 from auth.membership m join auth.account a on a.id = m.account_id where m.tenant_id = $1 and a.email = $2`,
    [tenantId, email],
  );
  return rows.length > 0;
}

export async function membershipCountOfAccount(tx: Tx, accountId: string): Promise<number> {
  const rows = await tx.query<{ n: number }>(`select count(*)::int as n from auth.membership where account_id = $1`, [
    accountId,
  ]);
  return rows[0]?.n ?? 0;
}

export interface MemberRow extends CursorRow {
  email: string;
  role: MemberRole;
  roleId: string | null;
  joinedAt: Date;
}

/** The members of an organisation, the newest first; one more than a page has. */
export async function membershipList(tenantId: string, limit: number, from: Cursor | undefined): Promise<MemberRow[]> {
  return systemQuery<MemberRow>(
    "members-with-their-addresses",
    `select a.id, a.email, m.role, m.role_id as "roleId", m.created_at as "joinedAt", ${cursorMicros("m.created_at")} as "cursorMicros"
     from auth.membership m join auth.account a on a.id = m.account_id
     where m.tenant_id = $1 and ${beforeCursor("m.created_at", "m.account_id", 2)}
     order by m.created_at desc, m.account_id desc limit $4`,
    [tenantId, ...cursorParams(from), limit + 1],
  );
}

export interface MemberContactRow {
  userId: string;
  /** Null until its owner has shown to read its mails. */
  email: string | null;
  /** The organisation's name. */
  organisation: string;
  /** Whether it is on its way out. */
  isClosing: boolean;
}

/** Of these accounts those that are members, with the addresses at which they are reached. */
export async function membershipListContacts(
  tenantId: string,
  accountIds: readonly string[],
): Promise<MemberContactRow[]> {
  return systemQuery<MemberContactRow>(
    "members-with-their-addresses",
    `select a.id as "userId", case when a.email_verified_at is not null then a.email end as email,
            o.name as organisation, o.purge_at is not null as "isClosing"
     from auth.membership m join auth.account a on a.id = m.account_id and a.purge_at is null
     join auth.organisation o on o.id = m.tenant_id
     where m.tenant_id = $1 and m.account_id = any($2::uuid[]) limit $3`,
    [tenantId, accountIds, accountIds.length],
  );
}

/** Whether the account is a member, of an organisation in whatever state. Locks nothing. */
export async function membershipExists(
  tx: Tx,
  { tenantId, accountId }: { tenantId: string; accountId: string },
): Promise<boolean> {
  const sql = "select 1 from auth.membership where tenant_id = $1 and account_id = $2";
  return (await tx.query(sql, [tenantId, accountId])).length > 0;
}

/** Serialises changes of an organisation's members, until the transaction ends. */
export async function membershipLock(tx: Tx, tenantId: string): Promise<void> {
  await tx.query(`select 1 from auth.organisation where id = $1 for update`, [tenantId]);
}

/** Waits for a change of the organisation's members under way, and holds up those that come, until the transaction ends. Many may at once. */
export async function membershipHold(tx: Tx, tenantId: string): Promise<void> {
  await tx.query(`select 1 from auth.organisation where id = $1 for key share`, [tenantId]);
}

/** How many owners there are. True only under membershipLock. */
export async function membershipCountOwners(tx: Tx, tenantId: string): Promise<number> {
  const rows = await tx.query<{ n: number }>(
    `select count(*)::int as n from auth.membership where tenant_id = $1 and role = 'owner'`,
    [tenantId],
  );
  return rows[0]?.n ?? 0;
}

/** The accounts of its owners, the oldest membership first. */
export async function membershipListOwners(tx: Tx, tenantId: string, limit: number): Promise<string[]> {
  const rows = await tx.query<{ accountId: string }>(
    `select account_id as "accountId" from auth.membership where tenant_id = $1 and role = 'owner'
     order by created_at, account_id limit $2`,
    [tenantId, limit],
  );
  return rows.map(({ accountId }) => accountId);
}

/** Owners and admins, owners first. */
export async function membershipListAdministrators(tx: Tx, tenantId: string, limit: number): Promise<string[]> {
  const rows = await tx.query<{ accountId: string }>(
    `select account_id as "accountId" from auth.membership where tenant_id = $1 and role in ('owner', 'admin')
     order by role = 'owner' desc, created_at, account_id limit $2`,
    [tenantId, limit],
  );
  return rows.map(({ accountId }) => accountId);
}

/** Sets the role; resolves with the new revision, below which access tokens name a role that is gone. */
export async function membershipSetRole(
  tx: Tx,
  {
    tenantId,
    accountId,
    role,
    roleId,
  }: { tenantId: string; accountId: string } & Pick<OrganisationRow, "role" | "roleId">,
): Promise<number> {
  const rows = await tx.query<{ revision: number }>(
    `update auth.membership set role = $3, role_id = $4, revision = nextval('auth.membership_revision')
     where tenant_id = $1 and account_id = $2 returning revision::float8 as revision`,
    [tenantId, accountId, role, roleId],
  );
  return rows[0]?.revision ?? 0;
}

/** Ends it, and notes that. */
export async function membershipDelete(
  tx: Tx,
  { tenantId, accountId }: { tenantId: string; accountId: string },
): Promise<void> {
  await tx.execute(
    `with gone as (delete from auth.membership where tenant_id = $1 and account_id = $2 returning tenant_id, account_id)
     insert into auth.ended_membership (tenant_id, account_id) select tenant_id, account_id from gone
     on conflict (tenant_id, account_id) do nothing`,
    [tenantId, accountId],
  );
}

/** Whether the account was removed or has left, and is no member since. True only under membershipLock. */
export async function membershipHasEnded(
  tx: Tx,
  { tenantId, accountId }: { tenantId: string; accountId: string },
): Promise<boolean> {
  const sql = "select 1 from auth.ended_membership where tenant_id = $1 and account_id = $2";
  return (await tx.query(sql, [tenantId, accountId])).length > 0;
}
