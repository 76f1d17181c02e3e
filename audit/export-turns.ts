// How many exports are under way at once, of an organisation and in this process. Each holds a page and a connection for as long as
// its reader likes, an hour at most.
import { commonErrors } from "../security/common-errors";
import type { TenantId } from "../security/principal";
import { UnderWay, type UnderWayMax } from "../security/under-way";

/** Its owner's, a collector's, and one whose reader has hung. */
const EXPORTS_MAX: UnderWayMax = { ofOne: 3, inAll: 24 };

/** Answers what enters one, which answers what ends its turn. */
export const exportTurns =
  (max: UnderWayMax, underWay = new UnderWay(max)) =>
  ({ tenantId }: { tenantId: TenantId }): (() => void) => {
    const leave = underWay.enterFairly(tenantId);
    if (leave !== undefined) return leave;
    throw commonErrors.rate_limited({
      retryAfterSeconds: 60,
      internal: `as many exports of ${tenantId} as there may be, or in all: ${underWay.inAll}`,
    });
  };

/** Of every kind together. @throws APIError rate_limited */
export const enterExport = exportTurns(EXPORTS_MAX);
