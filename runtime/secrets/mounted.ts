// Secrets as files, one each, named after the secret: what Kubernetes and Docker mount, and what systemd calls credentials.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { InfraError } from "../infra/errors";

const VARIABLE = "GROUNDWORK_SECRETS_DIR";
/** A Secret of Kubernetes holds no more (https://kubernetes.io/docs/concepts/configuration/secret/). */
const MAX_BYTES = 1 << 20;

/** Of the folders in `folders`, separated as in PATH; where two hold the same name, the first counts. @throws InfraError */
export function mountedSecrets(folders: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const folder of folders.split(delimiter).filter((path) => path !== "")) {
    for (const name of namesIn(folder)) if (!found.has(name)) read(join(folder, name), name, found);
  }
  return found;
}

function namesIn(folder: string): string[] {
  try {
    // "..data" and the like are how Kubernetes replaces all files at once.
    return readdirSync(folder).filter((name) => !name.startsWith("."));
  } catch (error) {
    throw new InfraError(
      `${VARIABLE} names ${folder}, which cannot be read (${codeOf(error)}): mount it there, or name the right folder`,
    );
  }
}

function read(file: string, name: string, found: Map<string, string>): void {
  try {
    const about = statSync(file);
    if (!about.isFile()) return;
    if (about.size > MAX_BYTES) throw new InfraError(`the secret in ${file} is larger than a mebibyte`);
    // Editors and `echo` end a file with a line end that belongs to no secret.
    found.set(name, readFileSync(file, "utf8").replace(/\r?\n$/, ""));
  } catch (error) {
    if (error instanceof InfraError) throw error;
    throw new InfraError(`the secret in ${file} cannot be read (${codeOf(error)}): let the app's user read it`);
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "unknown";
