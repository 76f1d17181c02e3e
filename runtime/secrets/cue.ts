// Reader of `.secrets.local.cue`: a flat list of `Name: "value"` in CUE's syntax. Only strings can be
// secrets, so only CUE's string literals are understood; everything else is an error with its line.

const simpleEscapes: Record<string, string> = {
  a: "\u0007",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "/": "/",
  "\\": "\\",
  '"': '"',
  "'": "'",
};

interface Cursor {
  text: string;
  at: number;
}

function fail({ text, at }: Cursor, what: string): never {
  const line = text.slice(0, at).split("\n").length;
  throw new Error(`.secrets.local.cue, line ${line}: ${what}`);
}

/** Blanks, commas and comments, one character or one line at a time: the work is in proportion to what is passed over. */
function skipBlanks(cursor: Cursor): void {
  const { text } = cursor;
  for (;;) {
    if (text.startsWith("//", cursor.at)) {
      const end = text.indexOf("\n", cursor.at);
      cursor.at = end < 0 ? text.length : end;
    } else if (cursor.at < text.length && /[\s,]/.test(text[cursor.at] ?? "")) cursor.at++;
    else return;
  }
}

function skipPackageClause(cursor: Cursor): void {
  const clause = /package\s+\w+/y;
  clause.lastIndex = cursor.at;
  if (clause.test(cursor.text)) cursor.at = clause.lastIndex;
}

function unescapeCode(cursor: Cursor, digits: number): string {
  const hex = cursor.text.slice(cursor.at, cursor.at + digits);
  if (!new RegExp(`^[0-9a-fA-F]{${digits}}$`).test(hex))
    fail(cursor, "a unicode escape needs " + digits + " hexadecimal digits");
  cursor.at += digits;
  return String.fromCodePoint(Number.parseInt(hex, 16));
}

function readEscape(cursor: Cursor, hashes: string): string {
  cursor.at += 1 + hashes.length;
  const letter = cursor.text[cursor.at++] ?? "";
  if (letter === "u") return unescapeCode(cursor, 4);
  if (letter === "U") return unescapeCode(cursor, 8);
  if (letter === "(") fail(cursor, "a secret cannot be computed: \\(…) is not supported");
  return simpleEscapes[letter] ?? fail(cursor, `unknown escape \\${letter}`);
}

function readBody(cursor: Cursor, close: string, hashes: string): string {
  let value = "";
  for (;;) {
    if (cursor.at >= cursor.text.length) fail(cursor, `a string is not closed: ${close} is missing`);
    if (cursor.text.startsWith(close, cursor.at)) break;
    if (close.length - hashes.length === 1 && cursor.text[cursor.at] === "\n")
      fail(cursor, "a string in single quotation marks ends on its line");
    value += cursor.text.startsWith("\\" + hashes, cursor.at) ? readEscape(cursor, hashes) : cursor.text[cursor.at++];
  }
  cursor.at += close.length;
  return value;
}

/** The indentation of the closing `"""` is taken off every line (CUE, multi-line strings). */
function unindent(body: string): string {
  const lines = body.replace(/^\r?\n/, "").split("\n");
  const indent = /^[ \t]*$/.test(lines.at(-1) ?? "") ? (lines.pop() ?? "") : "";
  return lines.map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line)).join("\n");
}

const quotes = ['"""', '"', "'''", "'"] as const;

function readString(cursor: Cursor): string {
  let start = cursor.at;
  while (cursor.text[start] === "#") start++;
  const hashes = cursor.text.slice(cursor.at, start);
  const quote = quotes.find((one) => cursor.text.startsWith(one, start));
  if (quote === undefined) fail(cursor, "a secret's value must be a string in quotation marks");
  cursor.at = start + quote.length;
  const body = readBody(cursor, quote + hashes, hashes);
  return quote.length === 3 ? unindent(body) : body;
}

function readName(cursor: Cursor): string {
  if (/["'#]/.test(cursor.text[cursor.at] ?? "")) return readString(cursor);
  const identifier = /[A-Za-z_$][\w$]*/y;
  identifier.lastIndex = cursor.at;
  const match = identifier.exec(cursor.text);
  if (!match) fail(cursor, "a secret's name was expected");
  cursor.at = identifier.lastIndex;
  return match[0];
}

/** Secrets by name. @throws Error naming the line that cannot be read */
export function parseSecretsCue(text: string): Record<string, string> {
  const secrets: Record<string, string> = {};
  const cursor: Cursor = { text, at: 0 };
  skipBlanks(cursor);
  skipPackageClause(cursor);
  for (skipBlanks(cursor); cursor.at < text.length; skipBlanks(cursor)) {
    const name = readName(cursor);
    skipBlanks(cursor);
    if (text[cursor.at] !== ":") fail(cursor, `":" was expected after ${name}`);
    cursor.at += 1;
    skipBlanks(cursor);
    secrets[name] = readString(cursor);
  }
  return secrets;
}
