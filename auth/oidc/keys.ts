// The clients' secrets of the installation's providers: one `id=secret` a line, beside OIDC_PROVIDERS.
import { secret } from "encore.dev/config";
import { cfg } from "../../config";

const clientSecrets = secret("OidcClientSecrets");

/** Undefined when there is none. A secret may have any characters but line ends. */
export function clientSecretOf(provider: string, text = clientSecrets()): string | undefined {
  const start = `${provider}=`;
  const line = text.split("\n").find((candidate) => candidate.trim().startsWith(start));
  const found = line?.trim().slice(start.length).trim();
  return found === "" ? undefined : found;
}

/** @throws Error naming the providers whose clients have no secret. */
export function assertClientSecrets(providers: readonly { id: string }[] = cfg.auth.oidcProviders): void {
  const without = providers.filter(({ id }) => clientSecretOf(id) === undefined).map(({ id }) => id);
  if (without.length > 0)
    throw new Error(`the secret OidcClientSecrets has no line for ${without.join(", ")}: add one, as id=secret`);
}
