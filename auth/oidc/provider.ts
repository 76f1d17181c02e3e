// An OpenID provider, as those who sign in by it need it.
import type { TenantId } from "../../security/principal";
import type { Vouch } from "../factors/challenge";
import { BY_ORGANISATION, BY_PROVIDER } from "../factors/methods";
import type { Trust } from "../../security/outbound";

export interface Provider {
  id: string;
  name: string;
  issuer: string;
  clientId: string;
  clientSecret: string;
  trust: Trust;
  /** Whose it is; undefined for one of the installation. */
  tenantId?: TenantId;
  /** Of an organisation's: what sessions keep of it. */
  vouchId?: string;
}

/** What a session may keep of an organisation's provider; undefined for one of the installation. */
export const vouchOf = ({ tenantId, vouchId }: Provider): Vouch | undefined =>
  tenantId === undefined || vouchId === undefined ? undefined : { tenantId, vouchId };

/** What a sign-in there is called in `amr`. */
export const amrOf = ({ tenantId }: Provider): readonly string[] =>
  tenantId === undefined ? BY_PROVIDER : BY_ORGANISATION;
