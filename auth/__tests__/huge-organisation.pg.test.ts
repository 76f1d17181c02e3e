// The attack: one organisation so large that no statement gets through with it, and behind it all others are never deleted. On a real server,
// whose statements do time out.
import { afterAll, beforeAll, expect, test } from "vitest";
import { newId } from "../../db/ids";
import { ownerPool } from "../../db/__tests__/owner";
import { systemQuery, withSystem } from "../../db/tenant";
import { BEFORE_EVERYTHING } from "../../db/upkeep-walk";
import { dueOrganisations } from "../organisation-life";
import { purgeEnded } from "../upkeep";
import { count } from "./people";

const budget = { statementTimeoutMs: 300, totalMs: 60_000, batchMax: 1000 };
const HUGE = newId();
const STEPS = 3;

async function due(ids: readonly string[]): Promise<void> {
  await systemQuery(
    "test",
    `insert into auth.organisation (id, name, purge_at)
     select id, 'Due', now() - interval '1 day' + n * interval '1 second' from unnest($1::uuid[]) with ordinality as due (id, n)`,
    [ids],
  );
}

beforeAll(async () => {
  // What is large takes time by what goes with it: here each row of it takes as long as a thousand.
  await ownerPool().query(`
    create function auth.slow_for_test() returns trigger language plpgsql as
      $$ begin if old.id = '${HUGE}' then perform pg_sleep(1); end if; return old; end $$;
    create trigger slow_for_test before delete on auth.organisation for each row execute function auth.slow_for_test()`);
});
afterAll(async () => {
  await ownerPool().query(
    "drop trigger if exists slow_for_test on auth.organisation; drop function if exists auth.slow_for_test()",
  );
  await systemQuery("test", "delete from auth.organisation where id = $1", [HUGE]);
});

test("an organisation that takes too long alone is passed over and told of; all others go, and it goes when it can", async () => {
  const others = Array.from({ length: 25 }, () => newId());
  // The huge one is the first of all, and the first of each batch.
  await due([HUGE, ...others]);
  await expect(purgeEnded(budget)).rejects.toMatchObject({ kind: "statement_timeout" });
  const left = await systemQuery<{ id: string }>(
    "test",
    "select id from auth.organisation where id = any($1::uuid[])",
    [[HUGE, ...others]],
  );
  expect(left).toEqual([{ id: HUGE }]);
  await ownerPool().query("drop trigger slow_for_test on auth.organisation");
  expect((await purgeEnded(budget)).organisations).toBe(1);
});

test("members, those who left and the sessions of one whose grace is over go in batches before it does, whatever their number", async () => {
  const id = newId();
  await due([id]);
  const many = STEPS * budget.batchMax - 1;
  await systemQuery(
    "test",
    `with person as (
       insert into auth.account (id, email, email_verified_at) select gen_random_uuid(), gen_random_uuid() || '@huge.test', now()
       from generate_series(1, $2::int) returning id
     ), member as (insert into auth.membership (tenant_id, account_id, role) select $1, id, 'member' from person),
     gone as (insert into auth.ended_membership (tenant_id, account_id) select $1, id from person)
     insert into auth.session (id, organisation_id, account_id, expires_at, family_hash, secret_hash)
     select gen_random_uuid(), $1, id, now() + interval '1 day', sha256('f'), sha256('s') from person`,
    [id, many],
  );
  const inOne = (): Promise<boolean> =>
    withSystem("test", async (tx) =>
      dueOrganisations.remove(tx, (await dueOrganisations.list(tx, BEFORE_EVERYTHING, 1)).things),
    );
  const left = (): Promise<number[]> =>
    Promise.all([
      count(`auth.session where organisation_id = '${id}'`),
      count(`auth.membership where tenant_id = '${id}'`),
      count(`auth.ended_membership where tenant_id = '${id}'`),
    ]);
  expect(await inOne()).toBe(false);
  expect(await left()).toEqual([many - 1_000, many, many]);
  for (let n = 1; n < STEPS; n++) expect(await inOne()).toBe(false);
  expect(await left()).toEqual([0, many - 1_000, many]);
  expect((await purgeEnded({ ...budget, statementTimeoutMs: 10_000 })).organisations).toBe(1);
  expect(await left()).toEqual([0, 0, 0]);
});
