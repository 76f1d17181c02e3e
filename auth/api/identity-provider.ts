// The provider by which the people of an organisation's domains sign in.
import { api } from "encore.dev/api";
import type { MaxLen, MinLen } from "encore.dev/validate";
import { currentPrincipal } from "../../security/principal";
import {
  readIdentityProvider,
  removeIdentityProvider as remove,
  setIdentityProvider as set,
} from "../identity-provider";
import { redirectUriOf } from "../oidc/state";
import type { IdentityProviderRow } from "../store/identity-providers";

interface IdentityProviderRequest {
  /** As the provider's metadata say it, to the letter. */
  issuer: string & MinLen<1> & MaxLen<500>;
  clientId: string & MinLen<1> & MaxLen<500>;
  /** Goes in and never out; needed at first and with another issuer or client. */
  clientSecret?: string & MinLen<1> & MaxLen<2000>;
  /** What who signs in for the first time becomes; "member" if not given. */
  defaultRole?: "admin" | "member" | "viewer";
  /** Whether members of the verified domains, but for owners, come in by it alone. */
  required?: boolean;
}

interface IdentityProviderResponse {
  id: string;
  issuer: string;
  clientId: string;
  defaultRole: "admin" | "member" | "viewer";
  required: boolean;
  /** To be registered at the provider. */
  redirectUri: string;
}

const shown = ({ id, issuer, clientId, defaultRole, isRequired }: IdentityProviderRow): IdentityProviderResponse => ({
  id,
  issuer,
  clientId,
  defaultRole,
  required: isRequired,
  redirectUri: redirectUriOf({ id }),
});

/** Sets the organisation's provider up, or changes it. The provider is asked what it says of itself first. */
export const setIdentityProvider = api(
  {
    expose: true,
    auth: true,
    method: "PUT",
    path: "/auth/identity-provider",
    sensitive: true,
    tags: ["can:identity_provider.manage", "fresh", "limit:auth"],
  },
  async ({
    defaultRole = "member",
    required = false,
    ...req
  }: IdentityProviderRequest): Promise<IdentityProviderResponse> =>
    shown(await set(currentPrincipal(), { ...req, defaultRole, isRequired: required })),
);

/** The organisation's provider, without its client's secret. */
export const identityProvider = api(
  { expose: true, auth: true, method: "GET", path: "/auth/identity-provider", tags: ["can:identity_provider.read"] },
  async (): Promise<IdentityProviderResponse> => shown(await readIdentityProvider(currentPrincipal())),
);

/** Removes it: nobody signs in by it any more. Accounts and members stay. */
export const removeIdentityProvider = api(
  {
    expose: true,
    auth: true,
    method: "DELETE",
    path: "/auth/identity-provider",
    tags: ["can:identity_provider.manage", "fresh"],
  },
  async (): Promise<void> => remove(currentPrincipal()),
);
