// Whether a database is empty, and making it so. What extensions brought stays; so do logins, which are the server's.
import type { DatabaseSession } from "./database-session";
import { beginRestore, quoteIdentifier } from "../infra";

const ownSchemas = `select nspname from pg_catalog.pg_namespace
  where nspname not in ('pg_catalog', 'information_schema', 'public') and nspname !~ '^pg_'
    and not exists (select from pg_catalog.pg_depend d
      where d.classid = 'pg_catalog.pg_namespace'::regclass and d.objid = pg_namespace.oid and d.deptype = 'e')
  order by 1`;

const notOfExtension = (catalogue: string, row: string): string =>
  `not exists (select from pg_catalog.pg_depend d
     where d.classid = 'pg_catalog.${catalogue}'::regclass and d.objid = ${row}.oid and d.deptype in ('e', 'i'))`;

/** Statements, in an order in which they work; what another one took along already is skipped by IF EXISTS. */
const dropInPublic = `
  select format('drop %s if exists public.%I cascade',
      case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
        when 'f' then 'foreign table' else 'table' end, c.relname)
    from pg_catalog.pg_class c
   where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
     and ${notOfExtension("pg_class", "c")}
  union all
  select format('drop routine if exists %s cascade', p.oid::regprocedure)
    from pg_catalog.pg_proc p where p.pronamespace = 'public'::regnamespace and ${notOfExtension("pg_proc", "p")}
  union all
  select format('drop type if exists public.%I cascade', t.typname)
    from pg_catalog.pg_type t where t.typnamespace = 'public'::regnamespace and t.typtype in ('e', 'd', 'r')
     and ${notOfExtension("pg_type", "t")}`;

const anything = `select exists (
  select from pg_catalog.pg_class c where c.relnamespace = 'public'::regnamespace
    and c.relkind in ('r', 'p', 'v', 'm', 'f') and ${notOfExtension("pg_class", "c")})::text`;

/** Whether no app has ever used it. */
export async function isEmpty(session: DatabaseSession): Promise<boolean> {
  if ((await session.query(ownSchemas)).length > 0) return false;
  const [found] = await session.query(anything);
  return found?.[0] !== "true";
}

/** All of it or nothing, and marked with it as a database that is being restored. */
export async function clearDatabase(session: DatabaseSession): Promise<void> {
  await session.transaction("begin", async () => {
    for (const [schema] of (await session.query(ownSchemas)) as unknown as [string][])
      await session.query(`drop schema ${quoteIdentifier(schema)} cascade`);
    for (const [statement] of (await session.query(dropInPublic)) as unknown as [string][])
      await session.query(statement);
    await beginRestore(session.client);
  });
}
