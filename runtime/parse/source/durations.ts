// Durations as Encore's configs write them: "30s", "1h30m", "500ms".
import { ts } from "../typescript";
import { refuseAt, type Read } from "./literals";

const NS: Record<string, bigint> = {
  ns: 1n,
  us: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
  w: 604_800_000_000_000n,
  y: 31_556_926_000_000_000n,
};
const FORMAT = "missing TimeDuration format - must be multiples of [0-9]+(ns|us|ms|[smhdwy])";
/** Numbers are read into 64 bits. */
const MAX_NUMBER = 1n << 64n;

/** Nanoseconds, or what is wrong with the text. */
export function parseDuration(text: string): bigint | { problem: string } {
  const compact = text.replace(/\s/g, "");
  if (!/^\d/.test(compact)) return { problem: "cannot parse integer from empty string" };
  let total = 0n;
  for (const [, digits = "", unit = ""] of compact.matchAll(/(\d+)(\D*)/g)) {
    if (BigInt(digits) >= MAX_NUMBER) return { problem: "number too large to fit in target type" };
    const factor = NS[unit];
    if (factor === undefined) return { problem: FORMAT };
    total += BigInt(digits) * factor;
  }
  return total;
}

/** Reads nanoseconds; beyond 2^53 they lose precision, which is 104 days. */
export const duration: Read<number> = (node) => {
  if (!ts.isStringLiteral(node))
    throw refuseAt(node, "expected duration string literal", 'Write it as a text: "30s", "1h30m".');
  const parsed = parseDuration(node.text);
  if (typeof parsed === "bigint") return Number(parsed);
  throw refuseAt(node, parsed.problem, 'Write it as numbers with units: "30s", "1h30m", "500ms".');
};
