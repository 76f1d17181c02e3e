// Statements that leave nothing in the session of their connection, so that a use of it which asked for no others needs no
// reset (session-reset.ts): seven commands a transaction, a third of what the server does for an `emit`. Which they are,
// nobody can tell from a text that came together at run time. So they are written as templates, whose text is the
// program's own; what stands in one must not set anything beyond its transaction, make temporary things, listen, keep a
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

export const isPlain = (text: string): boolean => plain.has(text);
