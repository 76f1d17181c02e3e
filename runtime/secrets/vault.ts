// Secrets in HashiCorp Vault or OpenBao: one secret of a key-value engine, version 2, whose keys are the secrets' names
// (https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2).
import { InfraError } from "../infra/errors";
import type { VaultSession } from "./vault-client";

/** The keys of the secret at `path` (`mount/path`), each a text. @throws InfraError */
export async function vaultSecrets(path: string, session: VaultSession): Promise<Map<string, string>> {
  const [mount, ...rest] = path.split("/").filter((part) => part !== "");
  if (mount === undefined || rest.length === 0)
    throw new InfraError(
      `GROUNDWORK_VAULT_PATH is "${path}": give the engine's mount and the secret's path, for example secret/groundwork`,
    );
  const at = `${mount}/data/${rest.map(encodeURIComponent).join("/")}`;
  const missing = "nothing is there: look at the mount, which must be a key-value engine of version 2, and the path";
  return textsOf(await session.for("GROUNDWORK_VAULT_PATH")("GET", at, undefined, missing), path);
}

function textsOf(answer: unknown, path: string): Map<string, string> {
  const data = (answer as { data?: { data?: unknown } }).data?.data;
  if (typeof data !== "object" || data === null)
    throw new InfraError(
      `${path} in Vault holds no secret: its engine must be of version 2, and the latest version not deleted`,
    );
  const texts = Object.entries(data);
  const other = texts.find(([, value]) => typeof value !== "string");
  if (other) throw new InfraError(`${path} in Vault: the value of ${other[0]} must be a text`);
  return new Map(texts as [string, string][]);
}
