// Statements on how long somebody is known, by the database's clock (mail-standing.ts). Who is gone is a newcomer.
import { systemQuery } from "../../db/tenant";

export type Standing = "newcomer" | "known" | "established" | "own";

/** `since`: when what counts was made; `verified`: when who asks showed an address to be theirs. */
const standing = (since: string, verified: string, known: string, established: string): string => `case
  when ${verified} is null or ${since} > now() - make_interval(days => ${known}) then 'newcomer'
  when ${since} > now() - make_interval(days => ${established}) then 'known'
  else 'established' end`;

interface Ages {
  knownDays: number;
  establishedDays: number;
}

/** Of an organisation for which an account invites somebody of this domain. */
export async function organisationStanding({
  tenantId,
  accountId,
  domain,
  knownDays,
  establishedDays,
}: Ages & { tenantId: string; accountId: string; domain: string }): Promise<Standing> {
  const rows = await systemQuery<{ standing: Standing }>(
    "invite-member",
    `select case
       when exists (select from auth.domain d where d.tenant_id = o.id and d.name = $3 and d.verified_at is not null) then 'own'
       else ${standing("o.created_at", "a.email_verified_at", "$4", "$5")} end as standing
     from auth.organisation o, auth.account a where o.id = $1 and a.id = $2`,
    [tenantId, accountId, domain, knownDays, establishedDays],
  );
  return rows[0]?.standing ?? "newcomer";
}

/** Of an account. */
export async function accountStanding({
  accountId,
  knownDays,
  establishedDays,
}: Ages & { accountId: string }): Promise<Standing> {
  const rows = await systemQuery<{ standing: Standing }>(
    "change-email",
    `select ${standing("created_at", "email_verified_at", "$2", "$3")} as standing from auth.account where id = $1`,
    [accountId, knownDays, establishedDays],
  );
  return rows[0]?.standing ?? "newcomer";
}
