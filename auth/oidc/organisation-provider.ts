// The provider that an organisation brings, as those who sign in by it need it: with its client's secret, which the data key
// of the organisation seals (secrets/). It is read anew for each sign-in, so a change counts at once in every process.
import { isUuid } from "../../db/ids";
import { tenantIdFrom } from "../../security/principal";
import { readSecret } from "../../secrets/tenant-secret";
import { errors } from "../errors";
import { identityProviderFind } from "../store/identity-providers";
import type { Provider } from "./provider";

/** Where its client's secret stands in secrets/, whose endpoints leave names like it alone. */
export const CLIENT_SECRET = "app.identity-provider";

/** Undefined when no live organisation has one of this id. @throws APIError oidc_failed when its secret cannot be read. */
export async function organisationProvider(id: string): Promise<Provider | undefined> {
  if (!isUuid(id)) return undefined;
  const row = await identityProviderFind(id);
  if (row === undefined) return undefined;
  const tenantId = tenantIdFrom(row.tenantId);
  const secret = await readSecret({ tenantId }, CLIENT_SECRET).catch((cause: unknown) => {
    throw errors.oidc_failed({ internal: "the client's secret cannot be read", cause });
  });
  const { issuer, clientId, organisationName: name, vouchId } = row;
  return { id, name, issuer, clientId, clientSecret: secret.reveal(), trust: "organisation", tenantId, vouchId };
}
