// Secrets that are kept outside the environment: in mounted files, or in Vault or OpenBao. Each source that is named is read
// once, before a command reads the environment, and fills in what that leaves open: so an address of the database or
// a password of the app's own configuration can come from there as well as what is declared by `secret("Name")`. What a
// transit engine sealed, wherever it came from, is opened then.
// A source that is named and cannot be read stops the start.
import { InfraError } from "../infra/errors";
import { mountedSecrets } from "./mounted";
import { unsealInPlace } from "./transit";
import { vaultSecrets } from "./vault";
import { withVault, type VaultSession } from "./vault-client";

/** What can be an environment variable, and so the name of a secret. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Variables by which a process is told what code to load: nothing that is a secret. */
const OF_THE_LOADER = /^(?:NODE_|LD_|DYLD_|npm_)/;

/**
 * Completes `env` from the sources that it names: `GROUNDWORK_SECRETS_DIR` first, then `GROUNDWORK_VAULT_PATH`.
 * What is set already stays. @throws InfraError
 */
export async function completeFromSources(env: NodeJS.ProcessEnv): Promise<void> {
  await withVault(env, async (session) => {
    await gatherFromSources(env, session);
    await unsealInPlace(env, session);
  });
}

/** The same, and what is sealed stays so. @throws InfraError */
export async function gatherFromSources(env: NodeJS.ProcessEnv, session: VaultSession): Promise<void> {
  fill(env, mountedSecrets(env.GROUNDWORK_SECRETS_DIR ?? ""));
  if (env.GROUNDWORK_VAULT_PATH) fill(env, await vaultSecrets(env.GROUNDWORK_VAULT_PATH, session));
}

/** Names that no variable may have are somebody else's: Kubernetes mounts `tls.crt` beside the rest. */
function fill(env: NodeJS.ProcessEnv, found: ReadonlyMap<string, string>): void {
  for (const [name, value] of found) {
    if (!NAME.test(name)) continue;
    if (OF_THE_LOADER.test(name))
      throw new InfraError(`${name} is no secret: take it out of the source of secrets and set it as a variable`);
    env[name] ??= value;
  }
}
