// An attacker who can run SQL inside a tenant's transaction, on the embedded database, where the session below all
// connections is a superuser's. The long run, on a server with a login like Encore's, is hostile.pg.test.ts.
import { expect, it } from "vitest";
import pg from "pg";
import { AppDB } from "../../database";
import { isolation } from "../connection";
import { appPool } from "../pool";
import { attackAll } from "./hostile-attack";

const address = new URL(AppDB.connectionString);
const isEmbedded = address.username === "app";
if (isEmbedded) address.username = "postgres";
const seed = Number(process.env.GROUNDWORK_TEST_SEED ?? 20_261_128);

it("two hundred generated statements read and change no row of another tenant, and leave nothing to the next user", async ({
  skip,
}) => {
  skip(!isEmbedded, "a superuser's or owner's login may do all of it: hostile.pg.test.ts makes one that may not");
  const owner = new pg.Client({ connectionString: address.href });
  await owner.connect();
  try {
    await attackAll({
      pool: appPool(),
      isolation: await isolation(),
      analyze: () => owner.query("analyze"),
      owner: "postgres",
      count: 200,
      seed,
    });
  } finally {
    await owner.end();
  }
  expect(await isolation()).toEqual({ role: null });
}, 60_000);
