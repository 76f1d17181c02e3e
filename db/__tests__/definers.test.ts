// Functions that run with their owner's rights, and an attacker who has put things of the same names where names are looked
// up first: a domain with a check of the attacker's in the temporary schema.
import { afterAll, beforeAll, expect, it } from "vitest";
import pg from "pg";
import { AppDB } from "../../database";
import { tenantIdFrom } from "../../security/principal";
import { newId } from "../ids";
import { scopeStatement } from "../scope";
import { tenantQuery } from "../tenant";
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

/** Finds something when its caller shows a tenant's token, so that all of the function has run. */
const WORDS = "select * from vectors.find_words('submarine zeppelin', null, 300, 60)";

async function tenantWithWords(): Promise<ReturnType<typeof tenantIdFrom>> {
  const tenantId = tenantIdFrom(newId());
  await tenantQuery(
    { tenantId },
    `with d as (
       insert into vectors.document (id, tenant_id, source, title, text, text_hash, status, chunk_count, splitter)
       values ($2, $1, 'a.md', 'A', '', '', 'ready', 1, 1000000) returning id
     ), e as (
       insert into vectors.embedding (tenant_id, content_hash) values ($1, sha256('')) returning content_hash
     )
     insert into vectors.chunk (tenant_id, document_id, ordinal, content_hash, title, heading, content)
     select $1, d.id, 0, e.content_hash, 'A', '', 'A zeppelin.' from d, e`,
    [tenantId, newId()],
  );
  return tenantId;
}

it("run nothing of their caller's: not the check of a domain that has the name of a type of theirs", async () => {
  const all = await calls();
  expect(all.length).toBeGreaterThan(7);
  const types = ["bytea", "uuid", "bigint", "text", "tsquery", "jsonb", "boolean", "integer"];
  const scope = scopeStatement({ kind: "tenant", tenantId: await tenantWithWords() }, { role: null }, 30_000);
  for (const call of [...all, WORDS]) {
    // A session of its own: a function looks its names up when the session calls it first.
    const client = new pg.Client({ connectionString: address.href });
    const heard: string[] = [];
    client.on("notice", ({ message }) => heard.push(String(message)));
    await client.connect();
    try {
      await client.query("begin");
      if (call === WORDS) await client.query(scope.text, [...(scope.values ?? [])]);
      const { rows } = await client.query<{ me: string }>("select current_user as me");
      for (const type of types) {
        const real = `pg_catalog.${type === "bigint" ? "int8" : type === "integer" ? "int4" : type === "boolean" ? "bool" : type}`;
        await client.query(
          `create function pg_temp.evil(v ${real}) returns pg_catalog.bool language plpgsql as $$ begin if current_user <> '${rows[0]?.me}' then raise notice 'evil as %', current_user; end if; return true; end $$`,
        );
        await client.query(`create domain pg_temp.${real.split(".")[1]} as ${real} check (pg_temp.evil(value))`);
      }
      const answer = await client.query(call).catch(() => undefined);
      expect(heard, call).toEqual([]);
      if (call === WORDS) expect(answer?.rowCount).toBe(1);
    } finally {
      await client.query("rollback");
      await client.end();
    }
  }
});
