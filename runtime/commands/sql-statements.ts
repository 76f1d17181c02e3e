// Takes a script apart into statements. It need not be right about everything: a part that holds two statements is
// refused by the server, which takes one per message of the extended protocol.

/* eslint-disable regexp/no-super-linear-move -- sticky: each is tried at one place, and the scan goes on behind what matched */
/** What a semicolon in it does not end: PostgreSQL's manual, "Lexical Structure". */
const opaque = [
  /--[^\n]*/y,
  /(?:(?<![\w$])[eE])'(?:[^'\\]|\\[\s\S]|'')*'/y,
  /'(?:[^']|'')*'/y,
  /"(?:[^"]|"")*"/y,
  /(?<![\w$])\$(?<tag>\w*)\$[\s\S]*?\$\k<tag>\$/y,
];
/* eslint-enable regexp/no-super-linear-move */

/** End of the block comment at `at`, which may hold others; undefined when it is not closed. */
function endOfComment(sql: string, at: number): number | undefined {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = at;
  let depth = 0;
  for (let found = mark.exec(sql); found; found = mark.exec(sql)) {
    depth += found[0] === "/*" ? 1 : -1;
    if (depth === 0) return mark.lastIndex;
  }
  return undefined;
}

const opens = /[-'"$/eE]/;
const unclosed = /'|"|\/\*|(?<![\w$])\$\w*\$/y;

/** Offset behind what begins at `at`, undefined when it never ends. */
function skip(sql: string, at: number): number | undefined {
  if (!opens.test(sql[at] ?? "")) return at + 1;
  if (sql.startsWith("/*", at)) return endOfComment(sql, at);
  for (const pattern of opaque) {
    pattern.lastIndex = at;
    if (pattern.test(sql)) return pattern.lastIndex;
  }
  unclosed.lastIndex = at;
  return unclosed.test(sql) ? undefined : at + 1;
}

const comments = /^(?:\s|--[^\n]*(?:\n|$))*$/;

/** The statements of a text, and what follows the last semicolon. */
export function splitStatements(sql: string): { statements: string[]; rest: string } {
  const statements: string[] = [];
  let start = 0;
  for (let at = 0; at < sql.length;) {
    if (sql[at] === ";") {
      const statement = sql.slice(start, at).trim();
      if (!comments.test(statement)) statements.push(statement);
      start = at + 1;
    }
    const next = skip(sql, at);
    if (next === undefined) break;
    at = next;
  }
  const rest = sql.slice(start).trim();
  return { statements, rest: comments.test(rest) ? "" : rest };
}
