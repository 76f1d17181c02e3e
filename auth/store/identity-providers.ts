// Statements on auth.identity_provider.
import { systemQuery, tenantQuery, type TenantScope, type Tx } from "../../db/tenant";

export type DefaultRole = "admin" | "member" | "viewer";

export interface IdentityProviderRow {
  id: string;
  tenantId: string;
  issuer: string;
  clientId: string;
  defaultRole: DefaultRole;
  isRequired: boolean;
}

export interface SpeakerRow {
  id: string;
  isRequired: boolean;
  /** Whether it vouched for who is asked about. */
  hasVouched: boolean;
}

/**
 * An organisation's provider as JSON, where it speaks for an address: of a domain that the organisation has verified now. Null for none.
 * Takes expressions of SQL.
 */
export const speakerOf = ({
  tenantId,
  email,
  vouchedBy,
}: Readonly<Record<"tenantId" | "email" | "vouchedBy", string>>) =>
  `(select json_build_object('id', p.id, 'isRequired', p.is_required, 'hasVouched', p.vouch_id = any(${vouchedBy}))
    from auth.identity_provider p
    join auth.domain d on d.tenant_id = p.tenant_id and d.name = split_part(${email}, '@', -1) and d.verified_at is not null
    where p.tenant_id = ${tenantId})`;

/** The same for who has shown so much. */
export async function identityProviderSpeaking(
  tx: Tx,
  about: { tenantId: string; email: string; vouchedBy: readonly string[] },
): Promise<SpeakerRow | null> {
  const sql = `select ${speakerOf({ tenantId: "$1::uuid", email: "$2::text", vouchedBy: "$3::uuid[]" })} as speaker`;
  const rows = await tx.query<{ speaker: SpeakerRow | null }>(sql, [about.tenantId, about.email, about.vouchedBy]);
  return rows[0]?.speaker ?? null;
}

const COLUMNS = `p.id, p.tenant_id as "tenantId", p.issuer, p.client_id as "clientId", p.default_role as "defaultRole",
  p.is_required as "isRequired"`;

/** The organisation's own. */
export async function identityProviderOf(scope: TenantScope): Promise<IdentityProviderRow | undefined> {
  const rows = await tenantQuery<IdentityProviderRow>(
    scope,
    `select ${COLUMNS} from auth.identity_provider p where p.tenant_id = $1`,
    [scope.tenantId],
  );
  return rows[0];
}

export interface SigningInRow extends IdentityProviderRow {
  organisationName: string;
  /** What sessions keep of it. */
  vouchId: string;
}

const LIVE = `select ${COLUMNS}, p.vouch_id as "vouchId", o.name as "organisationName" from auth.identity_provider p
  join auth.organisation o on o.id = p.tenant_id and o.purge_at is null`;

/** One of a live organisation. */
export async function identityProviderFind(id: string): Promise<SigningInRow | undefined> {
  const rows = await systemQuery<SigningInRow>("provider-before-tenant-known", `${LIVE} where p.id = $1`, [id]);
  return rows[0];
}

/** That of the live organisation that has the domain verified. */
export async function identityProviderFindByDomain(domain: string): Promise<SigningInRow | undefined> {
  const rows = await systemQuery<SigningInRow>(
    "provider-before-tenant-known",
    `${LIVE} join auth.domain d on d.tenant_id = p.tenant_id and d.verified_at is not null where d.name = $1`,
    [domain],
  );
  return rows[0];
}

/** The same under membershipLock: true until the transaction ends. */
export async function identityProviderFindIn(tx: Tx, id: string): Promise<SigningInRow | undefined> {
  const rows = await tx.query<SigningInRow>(`${LIVE} where p.id = $1`, [id]);
  return rows[0];
}

/** The organisation's own, under membershipLock: true until the transaction ends. */
export async function identityProviderOfIn(tx: Tx, tenantId: string): Promise<IdentityProviderRow | undefined> {
  const sql = `select ${COLUMNS} from auth.identity_provider p where p.tenant_id = $1`;
  return (await tx.query<IdentityProviderRow>(sql, [tenantId]))[0];
}

/** Stores it over the one before; what one of another issuer vouched for counts no more. The caller holds membershipLock. */
export async function identityProviderPut(tx: Tx, provider: IdentityProviderRow): Promise<void> {
  await tx.execute(
    `insert into auth.identity_provider (id, tenant_id, issuer, client_id, default_role, is_required)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (tenant_id) do update set issuer = excluded.issuer,
       vouch_id = case when identity_provider.issuer = excluded.issuer then identity_provider.vouch_id else gen_random_uuid() end, client_id = excluded.client_id,
       default_role = excluded.default_role, is_required = excluded.is_required, updated_at = now()`,
    [provider.id, provider.tenantId, provider.issuer, provider.clientId, provider.defaultRole, provider.isRequired],
  );
}

/** Resolves with its id; undefined when there is none. */
export async function identityProviderDelete(tx: Tx, tenantId: string): Promise<string | undefined> {
  const rows = await tx.query<{ id: string }>(`delete from auth.identity_provider where tenant_id = $1 returning id`, [
    tenantId,
  ]);
  return rows[0]?.id;
}

export interface RequiredProviderRow {
  id: string;
  tenantId: string;
  isLinked: boolean;
}

/** The provider by which alone the account comes into an organisation; undefined for owners, guests and all others. */
export async function identityProviderRequired(
  tx: Tx,
  { accountId, domain }: { accountId: string; domain: string },
): Promise<RequiredProviderRow | undefined> {
  const rows = await tx.query<RequiredProviderRow>(
    `select p.id, p.tenant_id as "tenantId",
            exists (select from auth.identity i where i.account_id = $1 and i.provider = p.id::text) as "isLinked"
     from auth.domain d
     join auth.identity_provider p on p.tenant_id = d.tenant_id and p.is_required
     join auth.organisation o on o.id = d.tenant_id and o.purge_at is null
     join auth.membership m on m.tenant_id = d.tenant_id and m.account_id = $1 and m.role <> 'owner'
     where d.name = $2 and d.verified_at is not null`,
    [accountId, domain],
  );
  return rows[0];
}
