// The whole of foreign-and-missing: with the things that take a device, another provider or a failure to come by.
import pg from "pg";
import { afterAll, beforeAll } from "vitest";
import { AppDB } from "../../../database";
import { foreignAndMissing } from "./foreign-and-missing";
import { plantThings } from "./support/pairs/world";
import { type RunningApp, startApp, temporaryStateDir } from "./support/running-app";

const state = temporaryStateDir();
const database = new pg.Pool({ connectionString: AppDB.connectionString, max: 1 });
let app: RunningApp;

beforeAll(async () => {
  app = await startApp(state.path, {
    DATABASE_URL: AppDB.connectionString,
    MasterKey: "the-master-key-of-an-app-that-is-asked",
    LIMIT_SCALE: "1000000",
    LOG_LEVEL: "error",
  });
});

afterAll(async () => {
  await app?.stop();
  await database.end();
  state.remove();
});

foreignAndMissing({ baseUrl: () => app.baseUrl, plant: (world) => plantThings(database, world) });
