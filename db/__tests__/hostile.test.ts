// An attacker who can run SQL inside a tenant's transaction, with the app's own login: on the embedded database, where the
// session below all connections is a superuser's, and under a runtime whose login is like Encore's. The long run, on a
// server, is hostile.pg.test.ts.
import { expect, it } from "vitest";
import { isolation } from "../connection";
import { appPool } from "../pool";
import { attackAll } from "./hostile-attack";
import { isAppAnother, ownerAddress, ownerPool } from "./owner";

const seed = Number(process.env.GROUNDWORK_TEST_SEED ?? 20_261_128);

it("eighty generated statements read and change no row of another tenant, and leave nothing to the next user", async ({
  skip,
}) => {
  skip(!isAppAnother(), "a superuser's or owner's login may do all of it: hostile.pg.test.ts makes one that may not");
  process.stdout.write(`hostile statements: 80 with GROUNDWORK_TEST_SEED=${seed}\n`);
  await attackAll({
    pool: appPool(),
    isolation: await isolation(),
    ownerPool: ownerPool(),
    owner: new URL(ownerAddress()).username,
    count: 80,
    seed,
  });
  expect(await isolation()).toEqual({ role: null });
});
