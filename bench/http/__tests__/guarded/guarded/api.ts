// The same endpoint as in bare/, behind everything: token, context, limits, permission, the caller's tenant.
import { api, type Query } from "encore.dev/api";
import type { Max, Min, MinLen } from "encore.dev/validate";
import { currentPrincipal } from "../security/principal";

interface ReadRequest {
  id: string & MinLen<1>;
  k?: Query<number & Min<1> & Max<50>>;
}

interface ReadResponse {
  id: string;
  owner: string;
}

export const read = api(
  { expose: true, auth: true, method: "GET", path: "/guarded/:id", tags: ["can:document.read", "limit:search"] },
  async ({ id }: ReadRequest): Promise<ReadResponse> => ({ id, owner: currentPrincipal().tenantId }),
);
