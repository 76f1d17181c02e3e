// The login that owns the tables, where the app's own does not: what a migration, or somebody with the owner's password, may do.
import { afterAll } from "vitest";
import pg from "pg";
import { AppDB } from "../../database";

/** Connection string of the owner's login to this file's database; the app's own where that login owns the tables. */
export function ownerAddress(): string {
  // scripts/test-external-runtime.sh, whose runtime knows the app's login only.
  if (process.env.GROUNDWORK_TEST_OWNER_URL) return process.env.GROUNDWORK_TEST_OWNER_URL;
  const address = new URL(AppDB.connectionString);
  if (address.username === "app") address.username = "postgres";
  return address.href;
}

/** Whether the app's login is another than the tables' owner, as under Encore and on the embedded database. */
export const isAppAnother = (): boolean =>
  new URL(ownerAddress()).username !== new URL(AppDB.connectionString).username;

let pool: pg.Pool | undefined;

/** Connections of the owner, which end with the file. */
export function ownerPool(): pg.Pool {
  pool ??= new pg.Pool({ connectionString: ownerAddress(), max: 1, allowExitOnIdle: true });
  return pool;
}

afterAll(async () => {
  await pool?.end();
  pool = undefined;
});
