// What is asked of every endpoint there is, of one running app: as each kind of caller, from pages of other sites, about what
// belongs to somebody else, which headers come with the answer, and what its inputs may say. With the things that take a device, another provider or a
// failure to come by.
import pg from "pg";
import { afterAll, beforeAll } from "vitest";
import { AppDB } from "../../../database";
import { startProviderServer, type ProviderServer } from "../../../services/ai/__tests__/provider-server";
import { pagesOfOtherSites } from "./browser-accounts";
import { foreignAndMissing } from "./foreign-and-missing";
import { inputsAndTokens } from "./inputs-and-tokens";
import { permissionMatrix } from "./permission-matrix";
import { securityHeaders } from "./security-headers";
import { commandsBeside } from "./support/commands-beside";
import { plantThings } from "./support/pairs/world";
import { type RunningApp, startApp, temporaryStateDir } from "./support/running-app";

const state = temporaryStateDir();
const database = new pg.Pool({ connectionString: AppDB.connectionString, max: 1 });
const parts = {
  DATABASE_URL: AppDB.connectionString,
  MasterKey: "the-master-key-of-an-app-that-is-asked",
};
let app: RunningApp;
let models: ProviderServer;

beforeAll(async () => {
  models = await startProviderServer();
  const model = { name: "m", inputPrice: 1, outputPrice: 1 };
  const providers = models.providers(["openai"]).map((provider) => ({ ...provider, models: [model] }));
  const ai = { AI_PROVIDERS: JSON.stringify(providers), AiProviderKeys: "openai=key-of-the-installation" };
  app = await startApp(state.path, { ...parts, ...ai, LIMIT_SCALE: "1000000", LOG_LEVEL: "error" });
});

afterAll(async () => {
  await app?.stop();
  await models?.stop();
  await database.end();
  state.remove();
});

const baseUrl = (): string => app.baseUrl;

pagesOfOtherSites(baseUrl);
foreignAndMissing({ baseUrl, plant: (world) => plantThings(database, world) });
permissionMatrix({ baseUrl, commands: commandsBeside(state.path, parts) });
securityHeaders(baseUrl);
inputsAndTokens({ baseUrl, statePath: state.path, askedModels: () => models.seen.length });
