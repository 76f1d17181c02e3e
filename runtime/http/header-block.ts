// Header lines as one text, for answers that leave in one write. Most answers of an app carry the same headers, so
// each name keeps the line of its last value.
import { validateHeaderName, validateHeaderValue } from "node:http";

/** Lines that node must see itself: they decide how an answer is framed, or node adds its own beside them. */
const NODES = new Set([
  "connection",
  "content-length",
  "transfer-encoding",
  "keep-alive",
  "trailer",
  "expect",
  "upgrade",
  "date",
]);
const NOT_ASCII = /[^\u0000-\u007f]/;

/** An app may invent names without end. */
const KEPT_NAMES = 200;
const KEPT_LENGTH = 500;
const kept = new Map<string, { value: string; line: string }>();

function lineOf(name: string, value: string): string | null {
  if (NODES.has(name.toLowerCase()) || NOT_ASCII.test(value)) return null;
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  } catch {
    return null;
  }
  const line = `${name}: ${value}\r\n`;
  if (line.length <= KEPT_LENGTH && (kept.has(name) || kept.size < KEPT_NAMES)) kept.set(name, { value, line });
  return line;
}

/**
 * The text of header lines (names and values in turn), each ended by CRLF. Null when one of them is not plain: its framing is
 * node's business, it is not ASCII, or it is no header at all.
 */
export function headerBlock(lines: readonly string[]): string | null {
  let block = "";
  for (let i = 0; i < lines.length; i += 2) {
    const [name, value] = [lines[i]!, lines[i + 1]!];
    const known = kept.get(name);
    const line = known?.value === value ? known.line : lineOf(name, value);
    if (line === null) return null;
    block += line;
  }
  return block;
}
