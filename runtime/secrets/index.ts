// Secrets (contract 9.1): where the values come from, and the native object that holds one.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "../host";
import { Secret } from "./secret";
import { parseSecretsCue } from "./cue";
import { generatedSecrets } from "./generated";

/**
 * Values for `names`: an environment variable of that name, else `.secrets.local.cue` in the app root, else,
 * outside production and when the app has no such file, one generated and kept in `stateDir`. An app with a
 * secrets file manages its own: what is missing there stays missing. A name without a value is left out.
 */
export function loadSecrets(
  appRoot: string,
  stateDir: string,
  env: NodeJS.ProcessEnv,
  names: readonly string[],
): Record<string, string> {
  const file = join(appRoot, ".secrets.local.cue");
  const hasFile = existsSync(file);
  const local = hasFile ? parseSecretsCue(readFileSync(file, "utf8")) : {};
  const found: Record<string, string> = {};
  for (const name of names) {
    const value = env[name] ?? local[name];
    if (value !== undefined) found[name] = value;
  }
  const production = env.NODE_ENV === "production" || env.GROUNDWORK_ENV_TYPE === "production";
  if (hasFile || production) return found;
  return {
    ...generatedSecrets(
      stateDir,
      names.filter((name) => found[name] === undefined),
    ),
    ...found,
  };
}

/** The SDK would answer "" wherever the cloud is `local`, which a self-hosted production is too: that fails open. */
function refuse(name: string): never {
  throw new Error(`secret ${name} is not set: give it as the environment variable ${name}, or in the infra config`);
}

export function createSecrets(host: Pick<Host, "config">): { secret(name: string): Secret | null } {
  return {
    secret(name) {
      const value = host.config.secrets[name];
      if (value !== undefined) return new Secret(() => value);
      return host.config.environment.type === "production" ? new Secret(() => refuse(name)) : null;
    },
  };
}
