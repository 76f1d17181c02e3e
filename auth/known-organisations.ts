// What the check of audit logs is told of organisations (audit/verify-logs.ts): which there are, and what the log of each begins with.
import { defineAction } from "../audit/action";
import type { KnownOrganisations } from "../audit/verify-logs";
import { organisationIdList, organisationIsKnown } from "./store/organisations";

/** The first entry of an organisation's log. */
export const created = defineAction("auth.organisation.created", { name: "plain" });

export const knownOrganisations: KnownOrganisations = {
  list: organisationIdList,
  isThere: organisationIsKnown,
  firstAction: created.name,
};
