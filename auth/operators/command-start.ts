// What a command needs that loads no service: the secret, which only files of a service may read.
import { secret } from "encore.dev/config";
import { startAudit } from "../../audit/key";
import { useMasterKey } from "../../db/capability";

const masterKey = secret("MasterKey");

/** Before anything else of a command. @throws StartError when the master key is missing or unusable. */
export function startCommand(): void {
  useMasterKey(() => masterKey());
  startAudit("auth", masterKey);
}
