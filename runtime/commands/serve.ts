// The last steps to a serving app, the same for an app in its sources (run.ts) and a built one (start.ts): migrations,
// configuration, and the bundle imported into this process.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { HostConfig } from "../config";
import { type Infra, migrate, type MigrateOptions } from "../infra";
import type { AppModel } from "../model";
import { processHooks } from "../process-hooks";
import { dim, say, sayError, step } from "./console";
import { environmentOf, secretNames } from "./environment";
import { type HostConfigInput, makeHostConfig } from "./host-config";

/** How migrations are applied here: in production no remedy says that data may be thrown away. */
export function migrateOptions(infra: Infra, env: NodeJS.ProcessEnv): MigrateOptions {
  const production = environmentOf(env, infra.config?.metadata).type === "production";
  return {
    log: (line) => say(dim(`  ${line}`)),
    ...(infra.dataDir === undefined || production ? {} : { disposable: infra.dataDir }),
  };
}

/** Applies what is new of every database's migrations; says nothing when nothing was. */
export async function migrateAll(root: string, model: AppModel, infra: Infra, env: NodeJS.ProcessEnv): Promise<void> {
  for (const database of model.databases) {
    const target = infra.databases[database.name];
    if (!database.migrationsDir || !target) continue;
    const { applied } = await migrate(
      target.ownerUrl ?? target.url,
      join(root, database.migrationsDir),
      migrateOptions(infra, env),
    );
    if (applied.length)
      say(`  ${database.name}: ${applied.length} migration${applied.length === 1 ? "" : "s"} applied`);
  }
}

/** Names of secrets that the app declares and production does not have; elsewhere an unset secret is no news. */
export function unsetSecrets(config: Pick<HostConfig, "environment" | "secrets">, model: AppModel): string[] {
  if (config.environment.type !== "production") return [];
  return secretNames(model).filter((name) => config.secrets[name] === undefined);
}

export interface Served extends Omit<HostConfigInput, "infra"> {
  infra: Infra;
  /** Absolute paths of the app's bundle and of the native module it gets. */
  bundle: string;
  native: string;
  /** Called with the app's address when the first request can be answered. */
  onServing?(baseUrl: string): void;
}

/** Starts the app in this process; it exits the process when told to end. */
export async function serve({ bundle, native, onServing, ...input }: Served): Promise<void> {
  const { infra, listen, app } = input;
  processHooks().beforeExit.push(() => infra.stop());
  try {
    await step("migrations checked", () => migrateAll(input.root, app.model, infra, input.env));
    const config = makeHostConfig(input);
    const unset = unsetSecrets(config, app.model);
    if (unset.length)
      sayError(
        `secrets that are not set: ${unset.join(", ")} (give each as a variable of its name, or under "secrets" in the infra config)`,
      );
    processHooks().onListening.push((port) => {
      const baseUrl = `http://${listen.host === "0.0.0.0" ? "localhost" : listen.host}:${port}`;
      say(`✓ serving ${baseUrl}`);
      onServing?.(baseUrl);
    });
    process.env.GROUNDWORK_HOST_CONFIG = JSON.stringify(config);
    process.env.ENCORE_RUNTIME_LIB = native;
    process.setSourceMapsEnabled(true); // the app's errors name its own files, not the bundle
    await import(pathToFileURL(bundle).href);
  } catch (error) {
    await infra.stop();
    throw error;
  }
}
