// An OpenID provider, as those who sign in by it need it.
import type { TenantId } from "../../security/principal";
import type { Trust } from "./outbound";

export interface Provider {
  id: string;
  name: string;
  issuer: string;
  clientId: string;
  clientSecret: string;
  trust: Trust;
  /** Whose it is; undefined for one of the installation. */
  tenantId?: TenantId;
}
