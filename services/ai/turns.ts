// How many calls are under way at once: of one organisation, and with one provider, in this process. A call takes seconds and
// holds memory and a connection all the while.
import { commonErrors } from "../../security/common-errors";
import { UnderWay } from "../../security/under-way";

const OF_ORGANISATION_MAX = 20;
const WITH_PROVIDER_MAX = 200;
/** Of one organisation with the installation's own sentence model, of which there is one for all. */
const LOCAL_MAX = 2;

const ofOrganisations = new UnderWay({ ofOne: OF_ORGANISATION_MAX, inAll: Infinity });
/** By provider, of which the installation names a few. */
const withProviders = new Map<string, UnderWay>();
const locally = new UnderWay({ ofOne: LOCAL_MAX, inAll: Infinity });

function enterOrRefuse(turns: UnderWay, tenantId: string): () => void {
  const leave = turns.enter(tenantId);
  if (leave !== undefined) return leave;
  throw commonErrors.rate_limited({ retryAfterSeconds: 1, internal: `as many calls of ${tenantId} as there may be` });
}

/** Answers what ends the turn. @throws APIError rate_limited */
export const enterOrganisation = (tenantId: string): (() => void) => enterOrRefuse(ofOrganisations, tenantId);

/** Answers what ends the turn. @throws APIError rate_limited */
export const enterLocal = (tenantId: string): (() => void) => enterOrRefuse(locally, tenantId);

/**
 * Answers what ends the turn; undefined when the provider has its fill: another one may have none. Who has
 * many turns gets no more while others have few, so that a newcomer soon has as many (`fairShare`).
 */
export function enterProvider(id: string, tenantId: string): (() => void) | undefined {
  const underWay = withProviders.get(id) ?? new UnderWay({ ofOne: OF_ORGANISATION_MAX, inAll: WITH_PROVIDER_MAX });
  withProviders.set(id, underWay);
  return underWay.enterFairly(tenantId);
}
