// `groundwork sql`: a look at the app's database, also beside the running app. It only reads, unless `--write` says
// otherwise. Statements come from `-c`, from a pipe, or from a person.
import { createInterface } from "node:readline";
import { text as textOf } from "node:stream/consumers";
import { databasesBeside } from "../infra";
import { findAppRoot, stateDirOf, UsageError } from "./app-root";
import type { CommandInput } from "./command-input";
import { say, sayError } from "./console";
import { parseForCommand } from "./parse-app";
import { type Rows, sqlErrorText, tableOf } from "./sql-output";
import { SqlSession, StatementError } from "./sql-session";
import { splitStatements } from "./sql-statements";

const jsonOf = ({ columns, rows }: Rows): string =>
  JSON.stringify(
    rows.map((row) => Object.fromEntries(columns.map((column, at) => [column, row[at] ?? null]))),
    null,
    2,
  );

const listTables = `SELECT table_schema AS schema, table_name AS "table" FROM information_schema.tables
  WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2;`;

const literal = (name: string): string => `'${name.replaceAll("'", "''")}'`;

const listColumns = (table: string): string =>
  `SELECT attname AS "column", pg_catalog.format_type(atttypid, atttypmod) AS type, NOT attnotnull AS nullable
  FROM pg_catalog.pg_attribute WHERE attrelid = ${literal(table)}::pg_catalog.regclass AND attnum > 0 AND NOT attisdropped
  ORDER BY attnum;`;

/** `\d` and `\d TABLE` as in psql; the others are its own. */
export function expandCommand(line: string): string {
  const [, table] = /^\\d\s+(\S+?);?$/.exec(line) ?? [];
  if (table !== undefined) return listColumns(table);
  if (/^\\dt?;?$/.test(line)) return listTables;
  throw new UsageError(String.raw`${line} is not known here: \d lists tables, \d SCHEMA.TABLE its columns, \q ends`);
}

const errorText = (error: unknown): string => {
  if (error instanceof StatementError) return sqlErrorText(error.cause, error.sql);
  return error instanceof UsageError ? error.message : sqlErrorText(error);
};

export interface Terminal {
  input: NodeJS.ReadableStream;
  output: NodeJS.WritableStream;
}

/** Reads statements until the input ends or says `\q`; an error does not end it. */
export async function converse(session: SqlSession, prompt: string, { input, output }: Terminal): Promise<void> {
  const lines = createInterface({ input, output, terminal: input === process.stdin });
  const write = (text: string): void => void output.write(`${text}\n`);
  let text = "";
  // Lines may be left to read when the input has ended: from Node 24 on, a prompt is then an error.
  let isOpen = true;
  lines.once("close", () => (isOpen = false));
  const ask = (): void => {
    if (!isOpen) return;
    lines.setPrompt(`${prompt}${session.inTransaction ? "*" : ""}${text === "" ? "=>" : "->"} `);
    lines.prompt();
  };
  lines.on("SIGINT", () => {
    if (text === "") return lines.close();
    text = "";
    output.write("\n");
    ask();
  });
  ask();
  for await (const line of lines) {
    if (text === "" && /^(?:\\q|exit|quit)\s*;?$/i.test(line.trim())) break;
    text = text === "" ? line.trim() : `${text}\n${line}`;
    try {
      const script: string = text.startsWith("\\") ? expandCommand(text) : text;
      const isWhole = splitStatements(script).rest === "";
      if (isWhole) {
        text = "";
        await session.run(script, (rows) => write(tableOf(rows)));
      }
    } catch (error) {
      text = "";
      write(errorText(error));
    }
    ask();
  }
  lines.close();
}

async function runScript(session: SqlSession, script: string, show: (rows: Rows) => void): Promise<void> {
  const trimmed = script.trim();
  try {
    await session.run(trimmed.startsWith("\\") ? expandCommand(trimmed) : script, show);
    if (session.inTransaction)
      throw new UsageError("the script left its transaction open: nothing of it is kept. End it with commit");
  } catch (error) {
    process.exitCode = 1;
    sayError(errorText(error));
  }
}

function chosen(
  databases: Record<string, { url: string; ownerUrl?: string }>,
  name: string | undefined,
): { name: string; url: string } {
  const names = Object.keys(databases);
  const wanted = name ?? names[0];
  const found = wanted === undefined ? undefined : databases[wanted];
  if (wanted === undefined || !found)
    throw new UsageError(
      names.length ? `there is no database "${wanted}": the app has ${names.join(", ")}` : "the app has no database",
    );
  // A person at the machine looks at everything; the app's own login sees what a token lets it.
  return { name: wanted, url: found.ownerUrl ?? found.url };
}

async function open(url: string, mayWrite: boolean): Promise<SqlSession> {
  return SqlSession.open(url, mayWrite).catch((error: unknown) => {
    throw new UsageError(sqlErrorText(error));
  });
}

export async function sql({ flags, env }: CommandInput): Promise<void> {
  const appRoot = findAppRoot(flags.app);
  const model = async (): Promise<Awaited<ReturnType<typeof parseForCommand>>["model"]> =>
    (await parseForCommand(appRoot)).model;
  const beside = await databasesBeside({ appRoot, stateDir: stateDirOf(appRoot, env), env, model, log: say });
  try {
    const { name, url } = chosen(beside.databases, flags.database);
    const session = await open(url, flags.write ?? false);
    const show = (rows: Rows): void => say(flags.json ? jsonOf(rows) : tableOf(rows));
    try {
      if (flags.command !== undefined) await runScript(session, flags.command, show);
      else if (!process.stdin.isTTY) await runScript(session, await textOf(process.stdin), show);
      else {
        say(
          String.raw`${name}, ${flags.write ? "reading and writing" : "read only (--write to change data)"}. \d lists tables, \q ends.`,
        );
        await converse(session, name, { input: process.stdin, output: process.stdout });
      }
    } finally {
      await session.close();
    }
  } finally {
    await beside.stop();
  }
}
