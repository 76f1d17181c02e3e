// What a command of an operator is about: an app in its sources, or a built folder, which is what an image holds. Whoever
// works on a built folder needs no parser (find-installation.ts has one).
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { hostDatabase, type Infra, readInfraConfig } from "../infra";
import { openStores, type OpenStores } from "../objects/stores";
import type { DatabaseTarget } from "../backup";
import type { AppModel } from "../model";
import { stateDirOf } from "./app-root";
import { builtFiles } from "./built-app";
import { readManifest, useOwnInfraConfig } from "./start";

export interface Installation {
  root: string;
  stateDir: string;
  model: AppModel;
}

/** A folder that `groundwork build` made. @throws UsageError */
export function builtInstallation(dir: string, env: NodeJS.ProcessEnv): Installation {
  const root = resolve(dir);
  readManifest(root);
  useOwnInfraConfig(root, env);
  const model = JSON.parse(readFileSync(join(root, builtFiles.model), "utf8")) as AppModel;
  return { root, stateDir: stateDirOf(root, env), model };
}

/** Where each database is, for somebody who may do everything with it. */
export function targetsOf(
  { root, model }: Installation,
  infra: Pick<Infra, "databases" | "hostDatabase">,
): DatabaseTarget[] {
  const found = { ...infra.databases, ...(infra.hostDatabase ? { [hostDatabase]: infra.hostDatabase } : {}) };
  return Object.entries(found).map(([name, { url, ownerUrl }]: [string, { url: string; ownerUrl?: string }]) => {
    const dir = model.databases.find((database) => database.name === name)?.migrationsDir;
    return {
      name,
      url: ownerUrl ?? url,
      appUrl: url,
      isEmbedded: ownerUrl !== undefined,
      ...(dir === undefined ? {} : { migrationsDir: join(root, dir) }),
    };
  });
}

export function storesOf({ model, stateDir }: Installation, env: NodeJS.ProcessEnv): OpenStores {
  const path = env.ENCORE_INFRA_CONFIG_PATH;
  const objectStorage = path ? readInfraConfig(path, env).objectStorage : undefined;
  return openStores({
    buckets: model.buckets,
    objectsDir: join(stateDir, "objects"),
    ...(objectStorage ? { objectStorage } : {}),
  });
}
