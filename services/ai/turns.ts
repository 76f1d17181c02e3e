// How many calls are under way at once: of one organisation, and with one provider, in this process. A call takes seconds and
// holds memory and a connection all the while.
import { commonErrors } from "../../security/common-errors";

const OF_ORGANISATION_MAX = 20;
const WITH_PROVIDER_MAX = 200;

const underWay = new Map<string, number>();

/** @throws APIError rate_limited */
function enter(who: string, max: number): () => void {
  const count = underWay.get(who) ?? 0;
  if (count >= max) throw commonErrors.rate_limited({ retryAfterSeconds: 1, internal: `${count} calls of ${who}` });
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

/** Resolves into what ends the turn. @throws APIError rate_limited */
export const enterOrganisation = (tenantId: string): (() => void) => enter(`tenant:${tenantId}`, OF_ORGANISATION_MAX);
export const enterProvider = (id: string): (() => void) => enter(`provider:${id}`, WITH_PROVIDER_MAX);
