// What an organisation may know of its flags: what holds for it. The platform's staff sets them (auth/api/operator-flags.ts).
import { api } from "encore.dev/api";
import { flags } from "../config";
import { currentPrincipal } from "../security/principal";

interface FlagsResponse {
  /** By name: whether it is on, or its tier. */
  flags: { [name: string]: boolean | string };
}

/** The feature flags as they are for the organisation. */
export const list = api(
  { expose: true, auth: true, method: "GET", path: "/flags", tags: ["can:flag.read"] },
  async (): Promise<FlagsResponse> => ({ flags: flags.allOf(currentPrincipal().tenantId) }),
);
