// Before each test file: its own databases, folder and configuration, in place before the file imports encore.dev.
import { readFileSync } from "node:fs";
import { afterAll, inject } from "vitest";
import { secretNames } from "../commands/environment";
import type { HostConfig } from "../config";
import type { Template } from "../infra";
import type { AppModel } from "../model";
import { clearPublished } from "../pubsub/published";
import { loadSecrets } from "../secrets";
import { databaseFor, temporaryFolder } from "./databases";

const app = inject("groundworkTestApp");

clearPublished(); // runners that give several files one process

if (app) {
  process.env.GROUNDWORK_TEST_COPIES = app.copies;
  const folder = temporaryFolder();
  const model = JSON.parse(readFileSync(app.modelFile, "utf8")) as AppModel;
  const databases = await Promise.all(
    Object.entries(app.templates).map(async ([name, template]) => ({
      name,
      database: await databaseFor(template as Template, app.copies),
    })),
  );
  const own = app.hostTemplate ? await databaseFor(app.hostTemplate as Template, app.copies) : undefined;
  const config: HostConfig = {
    appRoot: app.root,
    stateDir: folder.path,
    modelFile: app.modelFile,
    environment: { name: "test", type: "test", cloud: "local" },
    appId: model.app.id,
    apiBaseUrl: "http://localhost:4000",
    deployId: "test",
    build: { revision: "", uncommittedChanges: false },
    databases: Object.fromEntries(databases.map(({ name, database }) => [name, { url: database.url }])),
    ...(own ? { hostDatabase: { url: own.url } } : {}),
    ...(app.redisUrl ? { redisUrl: app.redisUrl } : {}),
    secrets: loadSecrets(app.root, folder.path, process.env, secretNames(model)),
    objectsDir: `${folder.path}/objects`,
    hostsGateway: true,
    workerThreads: 1,
    edgeHeaders: {},
    includeInternalMessage: false,
    logFormat: "json",
    gracefulShutdownMs: 5_000,
  };
  process.env.GROUNDWORK_HOST_CONFIG = JSON.stringify(config);
  afterAll(async () => {
    for (const { database } of databases) await database.drop();
    await own?.drop();
    folder.remove();
  });
}
