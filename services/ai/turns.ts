// How many calls are under way at once: of one organisation, and with one provider, in this process. A call takes seconds and
// holds memory and a connection all the while.
import { commonErrors } from "../../security/common-errors";

const OF_ORGANISATION_MAX = 20;
const WITH_PROVIDER_MAX = 200;

const underWay = new Map<string, number>();

/** What ends the turn; undefined when there are as many as there may be. */
function enter(who: string, max: number): (() => void) | undefined {
  const count = underWay.get(who) ?? 0;
  if (count >= max) return undefined;
  underWay.set(who, count + 1);
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    const left = (underWay.get(who) ?? 1) - 1;
    if (left === 0) underWay.delete(who);
    else underWay.set(who, left);
  };
}

/** Answers what ends the turn. @throws APIError rate_limited */
export function enterOrganisation(tenantId: string): () => void {
  const leave = enter(`tenant:${tenantId}`, OF_ORGANISATION_MAX);
  if (leave !== undefined) return leave;
  throw commonErrors.rate_limited({ retryAfterSeconds: 1, internal: `${OF_ORGANISATION_MAX} calls of ${tenantId}` });
}

/** Answers what ends the turn; undefined when the provider has its fill: another one may have none. */
export const enterProvider = (id: string): (() => void) | undefined => enter(`provider:${id}`, WITH_PROVIDER_MAX);
