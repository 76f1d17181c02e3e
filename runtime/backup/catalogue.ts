// What a database holds, as its own catalogue has it: tables, their columns, sequences. Extensions' own tables and what
// Postgres keeps for itself are left out, and what BullMQ notes of its own tables: that is of the version that runs.
import { quoteQualified } from "../infra";
import type { SequenceState, TableColumn, TableShape } from "./archive-format";
import type { DatabaseSession } from "./database-session";

const OWN_OBJECTS = `n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
  and not exists (select from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')`;

const listTables = `select n.nspname, c.relname, coalesce((
    select json_agg(json_build_object('name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
      'generated', a.attgenerated <> '') order by a.attnum)
    from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]')
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'r' and ${OWN_OBJECTS} and (n.nspname, c.relname) <> ('bullmq', 'migration') order by 1, 2`;

const listSequences = `select n.nspname, c.relname
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'S' and ${OWN_OBJECTS} order by 1, 2`;

const listMaterialised = `select n.nspname, c.relname
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'm' and ${OWN_OBJECTS} order by c.oid`;

const text = (value: string | null | undefined): string => value ?? "";

export async function tablesOf(session: DatabaseSession): Promise<TableShape[]> {
  const rows = await session.query(listTables);
  return rows.map((row) => ({
    schema: text(row[0]),
    name: text(row[1]),
    columns: JSON.parse(text(row[2])) as TableColumn[],
  }));
}

export async function sequencesOf(session: DatabaseSession): Promise<SequenceState[]> {
  const found: SequenceState[] = [];
  for (const row of await session.query(listSequences)) {
    const sequence = { schema: text(row[0]), name: text(row[1]) };
    const [state] = await session.query(`select last_value::text, is_called::text from ${quoteQualified(sequence)}`);
    found.push({ ...sequence, lastValue: text(state?.[0]), isCalled: state?.[1] === "true" });
  }
  return found;
}

export async function materialisedViewsOf(session: DatabaseSession): Promise<{ schema: string; name: string }[]> {
  return (await session.query(listMaterialised)).map((row) => ({ schema: text(row[0]), name: text(row[1]) }));
}

/** A transaction's number is of one server: restored ones are those of the restoring transaction, and no checksum has them. */
export const isOfServer = ({ type }: TableColumn): boolean => type === "xid8";

export const storedColumns = ({ columns }: TableShape): TableColumn[] => columns.filter(({ generated }) => !generated);
