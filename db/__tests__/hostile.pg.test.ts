// An attacker who can run SQL inside a tenant's transaction, on a server, with a login as Encore gives an app: neither
// superuser nor owner, reads and writes through pg_read_all_data and pg_write_all_data, may make schemas.
import { afterAll, beforeAll, expect, it } from "vitest";
import pg from "pg";
import { AppDB } from "../../database";
import { checkIsolation } from "../boot-check";
import { newId } from "../ids";
import { appPool } from "../pool";
import { resetOnRelease } from "../session-reset";
import { attackAll } from "./hostile-attack";

const login = `gw_hostile_${newId().slice(-12)}`;
const password = newId();
const address = new URL(AppDB.connectionString);
const owner = address.username;
const count = Number(process.env.GROUNDWORK_HOSTILE_ATTEMPTS ?? 2_500);
const seed = Number(process.env.GROUNDWORK_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
let pool: pg.Pool;

beforeAll(async () => {
  await appPool().query(`create role ${login} login noinherit password '${password}'`);
  await appPool().query(`alter role ${login} inherit; grant pg_read_all_data, pg_write_all_data to ${login}`);
  await appPool().query(`grant create, temporary on database "${address.pathname.slice(1)}" to ${login}`);
  const own = new URL(address.href);
  own.username = login;
  own.password = password;
  pool = new pg.Pool({ connectionString: own.href, max: 1 });
  resetOnRelease(pool);
  // As the app's pool: an idle connection that the server ends is none of anybody's.
  pool.on("error", () => undefined);
});

afterAll(async () => {
  await pool.end();
  await appPool().query(`drop owned by ${login} cascade; drop role ${login}`);
});

it(`${count} generated statements read and change no row of another tenant, and leave nothing to the next user`, async () => {
  expect(await checkIsolation(pool, { isProduction: true, ownerLogin: "refuse" })).toEqual({ role: null });
  process.stdout.write(`hostile statements: ${count} with GROUNDWORK_TEST_SEED=${seed}\n`);
  await attackAll({
    pool,
    isolation: { role: null },
    ownerPool: appPool(),
    owner,
    count,
    seed,
  });
}, 300_000);
