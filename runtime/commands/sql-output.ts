// Rows as a table for a person's terminal, and errors of Postgres with what to do about them.
import pg from "pg";

export interface Rows {
  /** `SELECT`, `UPDATE`, … */
  command: string;
  count: number;
  columns: string[];
  /** As Postgres writes values. */
  rows: (string | null)[][];
}

const cellChars = 200;

/** Data may hold what a terminal obeys: control characters are shown, not sent. */
const visible = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (char) => {
    if (char === "\n") return "\\n";
    if (char === "\t") return "\\t";
    return `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`;
  });

function cell(value: string | null): string {
  if (value === null) return "∅";
  const text = visible(value.slice(0, cellChars));
  return value.length > cellChars ? `${text}…` : text;
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

/** A table under its column names; a statement without columns is one line. Long values are cut: `--json` has them whole. */
export function tableOf({ command, count, columns, rows }: Rows): string {
  if (columns.length === 0) return count > 0 ? `${command} ${count}` : command;
  const lines = [columns.map(visible), ...rows.map((row) => row.map(cell))];
  const widths = columns.map((_, at) => lines.reduce((widest, line) => Math.max(widest, line[at]?.length ?? 0), 1));
  const [head = "", ...body] = lines.map((line) =>
    line
      .map((text, at) => text.padEnd(widths[at] ?? 0))
      .join(" │ ")
      .trimEnd(),
  );
  const rule = widths.map((width) => "─".repeat(width)).join("─┼─");
  return [head, rule, ...body, `(${counted(rows.length, "row")})`].join("\n");
}

const readOnlyRemedy = "This session only reads. Start it as `groundwork sql --write` to change data.";

const remedies: Record<string, string> = {
  "25006": readOnlyRemedy,
  "25001": readOnlyRemedy,
  "25P02": "An error before this one ended the transaction: `rollback`, then begin again.",
  "25P03":
    "The embedded database runs one transaction at a time, and others waited: keep transactions short, or stop the app.",
  "28P01": "Check user and password of DATABASE_URL.",
  "3D000": "Start the app once: it makes its databases.",
  "42501": "The login has no right to do this: use one that has, in DATABASE_URL.",
  "42601": "Statements end with `;`, text stands in single quotes, names in double ones.",
  "42703": String.raw`\d SCHEMA.TABLE shows a table's columns.`,
  "42P01": String.raw`\d shows the tables; each has the schema of its service before its name.`,
  "57014": "It took longer than it may: `set statement_timeout = '2h';` in front of it allows more.",
  "57P01": "The database was stopped: start the app again, or this command alone.",
};

function placeOf(sql: string, position: string | undefined): string {
  if (position === undefined) return "";
  const lines = sql.slice(0, Number(position) - 1).split("\n");
  return ` at line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1}`;
}

/** Message with SQLSTATE, then a line each for detail, the server's hint and the remedy. */
export function sqlErrorText(error: unknown, sql = ""): string {
  if (!(error instanceof pg.DatabaseError)) {
    const { code, message } = error as NodeJS.ErrnoException;
    return `the connection failed: ${code ?? message}\n  Does the database still run? Start the app, or look at DATABASE_URL.`;
  }
  const { code = "", detail, hint } = error;
  const remedy =
    remedies[code] ?? (hint ? undefined : "Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html");
  const more = [detail, hint, remedy].filter((line) => line !== undefined).map((line) => `\n  ${visible(line)}`);
  return `${visible(error.message)} (SQLSTATE ${code})${placeOf(sql, error.position)}${more.join("")}`;
}
