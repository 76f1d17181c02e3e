// Functions that run with their owner's rights, and an attacker who has put things of the same names where names are looked
// up first: a domain with a check of the attacker's in the temporary schema.
import { afterAll, beforeAll, expect, it } from "vitest";
import pg from "pg";
import { AppDB } from "../../database";
import { newId } from "../ids";
import { isAppAnother, ownerPool } from "./owner";

const login = `gw_definers_${newId().slice(-12)}`;
const address = new URL(AppDB.connectionString);
/** On a server whose app has the owner's login: one like Encore's. */
const isOwn = !isAppAnother();

beforeAll(async () => {
  if (!isOwn) return;
  await ownerPool().query(`create role ${login} login password '${login}'; grant pg_read_all_data to ${login}`);
  address.username = login;
  address.password = login;
});
afterAll(async () => {
  if (isOwn) await ownerPool().query(`drop owned by ${login} cascade; drop role ${login}`);
});

/** A call of each function of ours with its owner's rights, with nulls; triggers are called by nobody. */
const calls = async (): Promise<string[]> =>
  (
    await ownerPool().query<{ call: string }>(
      `select format('select %s(%s)', p.oid::regproc, (select string_agg('null::' || format_type(t, null), ', ') from unnest(p.proargtypes) t)) as call
       from pg_proc p join pg_namespace n on n.oid = p.pronamespace
       where p.prosecdef and p.prorettype <> 'trigger'::regtype and n.nspname not in ('pg_catalog', 'information_schema') order by 1`,
    )
  ).rows.map(({ call }) => call);

it("run nothing of their caller's: not the check of a domain that has the name of a type of theirs", async () => {
  const all = await calls();
  expect(all.length).toBeGreaterThan(7);
  const types = ["bytea", "uuid", "bigint", "text", "tsquery", "jsonb", "boolean", "integer"];
  for (const call of all) {
    // A session of its own: a function looks its names up when the session calls it first.
    const client = new pg.Client({ connectionString: address.href });
    const heard: string[] = [];
    client.on("notice", ({ message }) => heard.push(String(message)));
    await client.connect();
    try {
      await client.query("begin");
      const { rows } = await client.query<{ me: string }>("select current_user as me");
      for (const type of types) {
        const real = `pg_catalog.${type === "bigint" ? "int8" : type === "integer" ? "int4" : type === "boolean" ? "bool" : type}`;
        await client.query(
          `create function pg_temp.evil(v ${real}) returns pg_catalog.bool language plpgsql as $$ begin if current_user <> '${rows[0]?.me}' then raise notice 'evil as %', current_user; end if; return true; end $$`,
        );
        await client.query(`create domain pg_temp.${real.split(".")[1]} as ${real} check (pg_temp.evil(value))`);
      }
      await client.query(call).catch(() => undefined);
      expect(heard, call).toEqual([]);
    } finally {
      await client.query("rollback");
      await client.end();
    }
  }
});
