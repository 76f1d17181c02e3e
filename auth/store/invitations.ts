// Statements on auth.invitation. A presented token names no tenant: that one runs as the system.
import type { MemberRole } from "../../security/permissions";
import { systemQuery, tenantQuery, type TenantScope, type Tx } from "../../db/tenant";
import { beforeCursor, cursorMicros, cursorParams, type Cursor, type CursorRow } from "../../db/cursor";

export interface NewInvitation {
  id: string;
  tenantId: string;
  email: string;
  role: MemberRole;
  roleId: string | null;
  invitedBy: string;
  lifetimeSeconds: number;
}

/** Stores it over the one before for this address, whose link stops working. */
export async function invitationPut(tx: Tx, invitation: NewInvitation): Promise<{ expiresAt: Date }> {
  const rows = await tx.query<{ expiresAt: Date }>(
    `insert into auth.invitation (id, tenant_id, email, role, role_id, invited_by, expires_at)
     values ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))
     on conflict (tenant_id, email) do update
       set id = excluded.id, role = excluded.role, role_id = excluded.role_id, invited_by = excluded.invited_by, hash = null,
           created_at = now(), expires_at = excluded.expires_at
     returning expires_at as "expiresAt"`,
    [
      invitation.id,
      invitation.tenantId,
      invitation.email,
      invitation.role,
      invitation.roleId,
      invitation.invitedBy,
      invitation.lifetimeSeconds,
    ],
  );
  const [row] = rows;
  if (row === undefined) throw new Error("an insert answered no row");
  return row;
}

/** The one for this address, live or not. True only under membershipLock. */
export async function invitationFindByEmail(
  tx: Tx,
  tenantId: string,
  email: string,
): Promise<{ id: string; role: MemberRole; roleId: string | null } | undefined> {
  const rows = await tx.query<{ id: string; role: MemberRole; roleId: string | null }>(
    `select id, role, role_id as "roleId" from auth.invitation where tenant_id = $1 and email = $2`,
    [tenantId, email],
  );
  return rows[0];
}

/** How many the organisation has for other addresses. True only under membershipLock. */
export async function invitationCountOthers(tx: Tx, tenantId: string, email: string): Promise<number> {
  const rows = await tx.query<{ n: number }>(
    `select count(*)::int as n from auth.invitation where tenant_id = $1 and email <> $2`,
    [tenantId, email],
  );
  return rows[0]?.n ?? 0;
}

export interface MailedInvitationRow {
  email: string;
  role: MemberRole;
  /** The name of a role that the organisation made. */
  madeRole: string | null;
  organisationName: string;
}

/** Gives a live invitation the token that is being mailed; undefined when there is none any more. */
export async function invitationSetToken(
  scope: TenantScope,
  id: string,
  hash: Buffer,
): Promise<MailedInvitationRow | undefined> {
  const rows = await tenantQuery<MailedInvitationRow>(
    scope,
    `update auth.invitation i set hash = $2 from auth.organisation o
     where i.tenant_id = $3 and i.id = $1 and i.expires_at > now() and o.id = i.tenant_id and o.purge_at is null
     returning i.email, i.role, (select r.name from auth.role r where r.id = i.role_id) as "madeRole", o.name as "organisationName"`,
    [id, hash, scope.tenantId],
  );
  return rows[0];
}

export interface PresentedInvitationRow {
  id: string;
  tenantId: string;
  email: string;
  role: MemberRole;
  roleId: string | null;
  invitedBy: string;
}

const PRESENTED = `id, tenant_id as "tenantId", email, role, role_id as "roleId", invited_by as "invitedBy"`;

/** The live invitation of a hash, without using it up. */
export async function invitationFind(hash: Buffer): Promise<PresentedInvitationRow | undefined> {
  const rows = await systemQuery<PresentedInvitationRow>(
    "invitation-before-tenant-known",
    `select ${PRESENTED} from auth.invitation where hash = $1 and expires_at > clock_timestamp()`,
    [hash],
  );
  return rows[0];
}

/** Uses up the live invitation of a hash: of many at once one gets it. */
export async function invitationTake(tx: Tx, hash: Buffer): Promise<PresentedInvitationRow | undefined> {
  const rows = await tx.query<PresentedInvitationRow>(
    `delete from auth.invitation where hash = $1 and expires_at > clock_timestamp() returning ${PRESENTED}`,
    [hash],
  );
  return rows[0];
}

/** Undefined when the organisation has no such invitation. */
export async function invitationDelete(
  tx: Tx,
  { tenantId, id }: { tenantId: string; id: string },
): Promise<Pick<PresentedInvitationRow, "email" | "role" | "roleId"> | undefined> {
  const rows = await tx.query<Pick<PresentedInvitationRow, "email" | "role" | "roleId">>(
    `delete from auth.invitation where tenant_id = $1 and id = $2 returning email, role, role_id as "roleId"`,
    [tenantId, id],
  );
  return rows[0];
}

/** All of an organisation, whose number is bounded; resolves with what they were. */
export function invitationDeleteAll(
  tx: Tx,
  tenantId: string,
): Promise<Pick<PresentedInvitationRow, "id" | "email" | "role">[]> {
  return tx.query(`delete from auth.invitation where tenant_id = $1 returning id, email, role`, [tenantId]);
}

export interface InvitationRow extends CursorRow {
  email: string;
  role: MemberRole;
  roleId: string | null;
  invitedBy: string;
  createdAt: Date;
  expiresAt: Date;
}

/** The live invitations of an organisation, the newest first; one more than a page has. */
export function invitationList(scope: TenantScope, limit: number, from: Cursor | undefined): Promise<InvitationRow[]> {
  return tenantQuery<InvitationRow>(
    scope,
    `select id, email, role, role_id as "roleId", invited_by as "invitedBy", created_at as "createdAt", expires_at as "expiresAt",
            ${cursorMicros("created_at")} as "cursorMicros"
     from auth.invitation where tenant_id = $1 and expires_at > now() and ${beforeCursor("created_at", "id", 2)}
     order by created_at desc, id desc limit $4`,
    [scope.tenantId, ...cursorParams(from), limit + 1],
  );
}

/** Removes invitations whose time is up, at most `limit`. */
export function invitationDeleteExpired(tx: Tx, limit: number): Promise<number> {
  return tx.execute(
    `delete from auth.invitation where id in (
       select id from auth.invitation where expires_at < now() order by expires_at limit $1 for update skip locked)`,
    [limit],
  );
}
