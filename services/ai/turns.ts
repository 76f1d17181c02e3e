// How many calls are under way at once: of one organisation, and with one provider, in this process. A call takes seconds and
// holds memory and a connection all the while.
import { commonErrors } from "../../security/common-errors";
import { UnderWay } from "../../security/under-way";

const OF_ORGANISATION_MAX = 20;
const WITH_PROVIDER_MAX = 200;

const ofOrganisations = new UnderWay({ ofOne: OF_ORGANISATION_MAX, inAll: Infinity });
const withProviders = new UnderWay({ ofOne: WITH_PROVIDER_MAX, inAll: Infinity });

/** Answers what ends the turn. @throws APIError rate_limited */
export function enterOrganisation(tenantId: string): () => void {
  const leave = ofOrganisations.enter(tenantId);
  if (leave !== undefined) return leave;
  throw commonErrors.rate_limited({ retryAfterSeconds: 1, internal: `${OF_ORGANISATION_MAX} calls of ${tenantId}` });
}

/** Answers what ends the turn; undefined when the provider has its fill: another one may have none. */
export const enterProvider = (id: string): (() => void) | undefined => withProviders.enter(id);
