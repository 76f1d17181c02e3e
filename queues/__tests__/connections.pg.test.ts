import pg from "pg";
import { expect, test } from "vitest";
import { AppDB } from "../../database";
import { POOL_MAX } from "../bull";
import { runJobTypes } from "./connections-contract";

/** As the login itself sees them: to the role of a transaction their statements are hidden. */
async function connections(): Promise<{ all: number; listening: number }> {
  const client = new pg.Client({ connectionString: AppDB.connectionString });
  await client.connect();
  const { rows } = await client.query<{ all: number; listening: number }>(
    `select count(*)::int as all, count(*) filter (where query ilike '%listen bullmq_jobs%')::int as listening
       from pg_stat_activity where datname = current_database() and application_name = 'groundwork-jobs'`,
  );
  await client.end();
  return rows[0] ?? { all: Number.NaN, listening: Number.NaN };
}

test("a process with sixty job types holds no more connections to Postgres than its pool has, and listens on one", async () => {
  await runJobTypes(3);
  expect((await connections()).listening).toBe(1);
  await runJobTypes(57);
  const { all, listening } = await connections();
  expect(listening).toBe(1);
  expect(all).toBeLessThanOrEqual(POOL_MAX);
});
