// One Postgres schema per service, and only that service's store.ts names its tables: a table's invariants
// can be kept only when all its statements stand in one place.
import { isTest, type Project, type Rule, type Violation } from "../project";
import { literalsOf, looksLikeSql } from "../sql";

const CREATE_TABLE = /\bcreate\s+(?:unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?([\w."]+)/gi;
const QUALIFIED = /(?<![\w."])"?([a-z_]\w*)"?\."?([a-z_]\w*)"?(?![\w(])/g;
const MIGRATION = /^migrations\/[^/]+\.sql$/;

function withoutComments(sql: string): string {
  return sql.replace(/--[^\n]*/g, "");
}

/** Tables the migrations create, as `schema.table`; a name without schema comes back as it is. */
export function tablesOf(project: Project): Map<string, string> {
  const tables = new Map<string, string>();
  for (const file of project.files.filter((path) => MIGRATION.test(path))) {
    const sql = withoutComments(project.read(file) ?? "");
    for (const [, name] of sql.matchAll(CREATE_TABLE))
      if (name !== undefined) tables.set(name.replaceAll('"', ""), file);
  }
  return tables;
}

function ownerOf(project: Project, table: string): string | undefined {
  const schema = table.includes(".") ? table.split(".")[0] : undefined;
  if (schema === undefined) return undefined;
  return [`${schema}/`, `services/${schema}/`].find((folder) => project.files.some((file) => file.startsWith(folder)));
}

function isStoreOf(owner: string, path: string): boolean {
  return path === `${owner}store.ts` || path.startsWith(`${owner}store/`);
}

function unownedTables(project: Project, tables: Map<string, string>): Violation[] {
  return [...tables]
    .filter(([table]) => ownerOf(project, table) === undefined)
    .map(([table, file]) => ({
      rule: "table-owner",
      file,
      line: 1,
      message: `table ${table} belongs to no service: name it <service>.<table>, with a folder of that name`,
    }));
}

function namedTables(text: string, tables: Map<string, string>): string[] {
  if (tables.has(text)) return [text];
  if (!looksLikeSql(text)) return [];
  const names = [...text.matchAll(QUALIFIED)].map(([, schema, table]) => `${schema}.${table}`);
  return [...new Set(names)].filter((name) => tables.has(name));
}

function check(project: Project): Violation[] {
  const tables = tablesOf(project);
  const found = unownedTables(project, tables);
  for (const source of project.sources.values()) {
    if (isTest(source.path) || /^(bench|scripts)\//.test(source.path)) continue;
    for (const { text, line } of literalsOf(source)) {
      for (const table of namedTables(text, tables)) {
        const owner = ownerOf(project, table);
        if (owner === undefined || isStoreOf(owner, source.path)) continue;
        found.push({
          rule: "table-owner",
          file: source.path,
          line,
          message: `names ${table}, which only ${owner}store.ts may name`,
        });
      }
    }
  }
  return found;
}

export const tableOwner: Rule = {
  name: "table-owner",
  promise: "every table is named only by the store.ts of the service that owns it",
  check,
};
