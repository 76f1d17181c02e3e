// Who may read the metrics. With a token, whoever sends it; without one nobody in production, and in development
// whoever connects from our own networks without a proxy between: behind a proxy with a private address everybody would.
import { createHash, timingSafeEqual } from "node:crypto";

import { parseAddress } from "../config/network";
import { isInNetworks, networkList } from "./address";
import { clientIp, type Headers } from "./client-ip";

export interface MetricsAccess {
  /** Networks from which they may be read. */
  allow: readonly string[];
  token?: string | undefined;
  isProduction: boolean;
}

/** A predicate over request headers (names in lower case). */
export function metricsDoor({ allow, token, isProduction }: MetricsAccess): (headers: Headers) => boolean {
  const networks = networkList(allow);
  const expected = token === undefined ? undefined : digest(token);
  return (headers) => {
    const address = clientIp(headers);
    const isNear = address === undefined ? headers["x-forwarded-for"] === undefined : isInNetworks(networks, address);
    if (!isNear) return false;
    if (expected !== undefined) return timingSafeEqual(digest(bearerOf(headers)), expected);
    return !isProduction && !isForwarded(headers, address);
  };
}

/** Of equal length, whatever was sent, so that comparing takes the same time. */
const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

function bearerOf({ authorization }: Headers): string {
  return typeof authorization === "string" ? authorization.replace(/^Bearer /i, "") : "";
}

/** Whether somebody stands between the caller and us who is not the caller. */
function isForwarded(headers: Headers, caller: string | undefined): boolean {
  const chain = String(headers["x-forwarded-for"] ?? "");
  const peer = parseAddress(chain.slice(chain.lastIndexOf(",") + 1));
  return headers.forwarded !== undefined || chain.includes(",") || peer !== caller;
}
