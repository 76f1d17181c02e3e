// How the official runtime prints values in messages and bodies: Rust's debug strings and the shortest
// float text of serde_json, which keeps a `.0` on integral floats and has its own exponent limits.

const ESCAPES: Record<string, string> = {
  "\\": "\\\\",
  '"': '\\"',
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\0": "\\0",
};

/** What Rust prints escaped: quotes, backslashes, controls and what has no look of its own. */
const ESCAPED = /[\\"\p{C}\p{Zl}\p{Zp}]/gu;
/** Longer values are quoted in part: nobody needs a megabyte of their own text back, or in a log. */
const MAX_QUOTED = 4_096;

/** A string as Rust's `{:?}` prints it; `…` stands for what is beyond 4,096 characters. */
export function debugString(text: string): string {
  return `"${quotable(text).replace(ESCAPED, escapeOf)}"`;
}

function escapeOf(char: string): string {
  return ESCAPES[char] ?? `\\u{${char.codePointAt(0)!.toString(16)}}`;
}

/** As much of a value as a message repeats. Never half a surrogate pair. */
export function quotable(text: string): string {
  return text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED).replace(/[\ud800-\udbff]$/, "")}…` : text;
}

/** A finite float as serde_json prints it: `1.0`, `0.00001`, `1e-7`, `1.5e+300`. */
export function floatText(value: number): string {
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const size = Math.abs(value);
  if (size >= 1e16 || size < 1e-5) return value.toExponential();
  const text = String(value);
  return Number.isInteger(value) ? `${text}.0` : text;
}

/** A float as Rust's `{}` prints it: no exponent, no `.0`. */
export function displayFloat(value: number): string {
  const text = String(value);
  if (!text.includes("e")) return text;
  const [mantissa, exponent] = value.toExponential().split("e") as [string, string];
  const [whole, fraction = ""] = mantissa.replace("-", "").split(".") as [string, string?];
  const digits = whole + fraction;
  const shift = Number(exponent);
  const sign = value < 0 ? "-" : "";
  return shift >= 0 ? sign + digits.padEnd(shift + 1, "0") : `${sign}0.${"0".repeat(-shift - 1)}${digits}`;
}

/** A float inside an `invalid type` message: always with a decimal point. */
export function debugFloat(value: number): string {
  const text = displayFloat(value);
  return text.includes(".") || !Number.isFinite(value) ? text : `${text}.0`;
}
