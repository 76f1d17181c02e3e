// What operators see of organisations, each look with a reason that the organisation reads in its log. They see no e-mails
// and change nothing but flags (flags/overrides.ts) and dead letters (events/staff-letters.ts): ids, roles, and the log with what is personal hidden.
import { withOperator, recordLook, type OperatorReason } from "../../audit/operator";
import { entryListIn, type EntryPage } from "../../audit/operator-view";
import { defineAction } from "../../audit/action";
import { recordForPlatform } from "../../audit/platform";
import type { Cursor } from "../../db/cursor";
import { isUuid } from "../../db/ids";
import { withSystem } from "../../db/tenant";
import { spellEmail } from "../../mail/email";
import { tenantIdFrom, type Caller, type TenantId } from "../../security/principal";
import { errors } from "../errors";
import { ORGANISATIONS_PER_ACCOUNT_MAX } from "../organisations";
import {
  memberSee,
  organisationExists,
  organisationListByEmail,
  organisationSee,
  type SeenMember,
  type SeenOrganisation,
} from "../store/operators";

export const MEMBERS_SEEN_MAX = 1_000;

const searched = defineAction("operator.organisation.searched", { email: "personal", reason: "plain", found: "plain" });

/** The organisations of who has this e-mail; each is told, and the installation's log too, also when there is none. */
export function searchOrganisations(email: string, reason: OperatorReason): Promise<SeenOrganisation[]> {
  const wanted = spellEmail(email) ?? "";
  return withSystem("operator-look-up", async (tx) => {
    const found = await organisationListByEmail(tx, wanted, ORGANISATIONS_PER_ACCOUNT_MAX);
    for (const { id } of found) await recordLook(tx, tenantIdFrom(id), { what: "auth.overview", reason });
    await recordForPlatform(tx, searched, { fields: { email: wanted, reason, found: found.length } });
    return found;
  });
}

/** @throws APIError operator_organisation_not_found. */
export async function seeOrganisation(operator: Caller, id: string, reason: OperatorReason): Promise<SeenOrganisation> {
  const tenantId = await existingOrganisation(id);
  const seen = await withOperator(tenantId, operator, { what: "auth.overview", reason }, (tx) =>
    organisationSee(tx, tenantId),
  );
  if (seen === undefined) throw errors.operator_organisation_not_found();
  return seen;
}

/** The first thousand. @throws APIError operator_organisation_not_found. */
export async function seeMembers(operator: Caller, id: string, reason: OperatorReason): Promise<SeenMember[]> {
  const tenantId = await existingOrganisation(id);
  return withOperator(tenantId, operator, { what: "auth.members", reason }, (tx) =>
    memberSee(tx, tenantId, MEMBERS_SEEN_MAX),
  );
}

/** @throws APIError operator_organisation_not_found. */
export async function seeAudit(
  operator: Caller,
  id: string,
  reason: OperatorReason,
  page: { limit: number; cursor: Cursor | undefined },
): Promise<EntryPage> {
  const tenantId = await existingOrganisation(id);
  return withOperator(tenantId, operator, { what: "audit.entries", reason }, (tx) =>
    entryListIn(tx, tenantId, operator, page),
  );
}

/** A log is not begun for an id that somebody made up. */
export async function existingOrganisation(id: string): Promise<TenantId> {
  if (!isUuid(id) || !(await organisationExists(id))) throw errors.operator_organisation_not_found();
  return tenantIdFrom(id);
}
