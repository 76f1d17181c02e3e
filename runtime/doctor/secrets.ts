// Secrets: that they are there, are none that can be guessed, and are nobody else's to read. No value is ever shown.
import { existsSync, readdirSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { secretNames } from "../secrets/names";
import { error, type Check, type Finding, warning } from "./finding";

const MIN_CHARS = 32;
const OTHERS = 0o007;

const NEW_KEY = `openssl rand -base64 32`;

/** A key that this app makes itself wants 256 bits; what a provider gave is as long as it is. */
const isOwnKey = (name: string): boolean => /^(?:master|signing|encryption|secret)key$/i.test(name);

export const values: Check = ({ model, env, config, isProduction }) => {
  const found: Finding[] = [];
  for (const name of secretNames(model)) {
    const value = config?.secrets[name] ?? env[name];
    if (value === undefined) {
      if (isProduction)
        found.push(
          (isOwnKey(name) ? error : warning)(
            "secret_missing",
            `the secret ${name} is not set`,
            `Set a variable of that name, a file in GROUNDWORK_SECRETS_DIR, or "secrets" of the infra config.`,
          ),
        );
    } else if (isOwnKey(name) && value.split(/[\s,]+/).some((key) => key.length < MIN_CHARS)) {
      found.push(
        error(
          "secret_short",
          `the secret ${name} has fewer than ${MIN_CHARS} characters`,
          `Make a random one: ${NEW_KEY}. What an earlier one sealed opens with that one only: name both, the new one first.`,
        ),
      );
    }
  }
  return found;
};

function filesOf({ root, stateDir, env }: Parameters<Check>[0]): string[] {
  const mounted = (env.GROUNDWORK_SECRETS_DIR ?? "").split(delimiter).filter(Boolean);
  return [
    join(stateDir, "secrets.json"),
    join(root, ".secrets.local.cue"),
    ...[".env", ".env.local", ".env.production"].map((name) => join(root, name)),
    ...(env.ENCORE_INFRA_CONFIG_PATH ? [env.ENCORE_INFRA_CONFIG_PATH] : []),
    ...mounted.flatMap((folder) =>
      existsSync(folder)
        ? readdirSync(folder)
            .filter((name) => !name.startsWith("."))
            .map((name) => join(folder, name))
        : [],
    ),
  ].filter((file) => existsSync(file));
}

/** An infra config whose every secret is named by a variable holds none; it is looked at all the same where it has texts. */
export const files: Check = (patient) =>
  filesOf(patient).flatMap((file) => {
    const { mode } = statSync(file);
    return mode & OTHERS && !(file === patient.env.ENCORE_INFRA_CONFIG_PATH)
      ? [
          error(
            "secret_file_readable",
            `every user of this machine may read ${file}`,
            `chmod 600 ${file}, and change what stands in it if others have accounts here.`,
          ),
        ]
      : [];
  });
