// Before each test file: databases, a folder and a configuration of its process, in place before the file imports
// encore.dev. Runners that give several files one process (vitest's `isolate: false`) give them those together: the
// native module and the app's pools are the process's too.
import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { inject } from "vitest";
import { secretNames } from "../commands/environment";
import type { HostConfig } from "../config";
import type { Template } from "../infra";
import type { AppModel } from "../model";
import { clearPublished } from "../pubsub/published";
import { loadSecrets } from "../secrets";
import { requestCopy } from "../infra/copy-client";

const app = inject("groundworkTestApp");

clearPublished();

if (app && process.env.GROUNDWORK_TEST_COPIES !== app.copies) {
  process.env.GROUNDWORK_TEST_COPIES = app.copies;
  const folder = mkdtempSync(join(app.folder, "process-"));
  const model = JSON.parse(readFileSync(app.modelFile, "utf8")) as AppModel;
  const databases = await Promise.all(
    Object.entries(app.templates).map(async ([name, template]) => ({
      name,
      database: await requestCopy(app.copies, template as Template),
    })),
  );
  const own = app.hostTemplate ? await requestCopy(app.copies, app.hostTemplate as Template) : undefined;
  const config: HostConfig = {
    appRoot: app.root,
    stateDir: folder,
    modelFile: app.modelFile,
    environment: { name: "test", type: "test", cloud: "local" },
    // Processes that share a Redis, and no database, would take each other's messages.
    appId: app.redisUrl ? `${model.app.id}-${process.pid}` : model.app.id,
    apiBaseUrl: "http://localhost:4000",
    deployId: "test",
    build: { revision: "", uncommittedChanges: false },
    databases: Object.fromEntries(databases.map(({ name, database }) => [name, { url: database.url }])),
    ...(own ? { hostDatabase: { url: own.url } } : {}),
    ...(app.redisUrl ? { redisUrl: app.redisUrl } : {}),
    secrets: loadSecrets(app.root, folder, process.env, secretNames(model)),
    objectsDir: `${folder}/objects`,
    hostsGateway: true,
    workerThreads: 1,
    edgeHeaders: {},
    includeInternalMessage: false,
    logFormat: "json",
    gracefulShutdownMs: 5_000,
  };
  process.env.GROUNDWORK_HOST_CONFIG = JSON.stringify(config);
}
