// Statements that leave nothing in the session of their connection, so that a use of it which asked for no others needs no
// reset (session-reset.ts): seven commands a transaction, a third of what the server does for an `emit`. Which they are,
// nobody can tell from a text that came together at run time. So they are written as templates, whose text is the
// program's own, or joined of such; what stands in one must not set anything beyond its transaction, make temporary things, listen, keep a
// cursor or take a lock of the session, and neither may a function that it calls.
import { DbError } from "./errors";

const plain = new Set<string>();

/**
 * The text of a statement that leaves nothing behind. Other plain texts may stand in it, and nothing else.
 * @throws DbError `misuse` for any other value
 */
export function plainSql({ raw }: TemplateStringsArray, ...parts: readonly string[]): string {
  let text = raw[0] ?? "";
  for (const [at, part] of parts.entries()) {
    if (!plain.has(part)) throw new DbError("misuse", "a plain statement holds plain texts only");
    text += part + (raw[at + 1] ?? "");
  }
  plain.add(text);
  return text;
}

/** Joined texts, those used last at the end: callers may ask for ever new ones, and one that was forgotten costs a reset. */
const joined = new Set<string>();
const JOINED_MAX = 2_000;

/** As many as the protocol has numbers for. */
const PARAMETERS_MAX = 65_535;

/** `$1` and so on, as a part of a statement that is put together. */
export function plainParameter(number: number): string {
  if (!Number.isInteger(number) || number < 1 || number > PARAMETERS_MAX)
    throw new DbError("misuse", `a parameter has a number from 1 to ${PARAMETERS_MAX}`);
  const text = `$${number}`;
  plain.add(text);
  return text;
}

/**
 * The text of a statement whose parts are chosen at run time: each is a plain text, with a blank between them.
 * @throws DbError `misuse` for any other part
 */
export function joinPlain(parts: readonly string[]): string {
  for (const part of parts)
    if (!plain.has(part)) throw new DbError("misuse", "a plain statement holds plain texts only");
  const text = parts.join(" ");
  joined.delete(text);
  joined.add(text);
  for (const oldest of joined) {
    if (joined.size <= JOINED_MAX) break;
    joined.delete(oldest);
  }
  return text;
}

export const isPlain = (text: string): boolean => plain.has(text) || joined.has(text);
