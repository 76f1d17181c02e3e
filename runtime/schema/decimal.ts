// Decimals of any precision (contract 1.7, L-50): read and written exactly as the official runtime does. Texts are only
// taken apart and put together, which takes time in proportion to their length; numbers are made of them where somebody
// calculates (native/decimal.ts).
import { quotable } from "./rust-text";
import type { Work } from "./work";

/** The SDK's Decimal, as the native side recognises it (contract 13.3). */
export interface DecimalValue {
  readonly __encore_decimal: true;
  readonly value: string;
}

/** ±digits × 10^exponent. No zeros at either end of the digits, none at all for zero. */
export interface DecimalParts {
  negative: boolean;
  digits: string;
  exponent: number;
}

const MAX_TEXT_BYTES = 1 << 18;
const MAX_EXPONENT = 1 << 14;
/** Below this power of ten the official runtime (malachite) writes an exponent. */
const SMALLEST_PLAIN_POWER = -5;
const ZERO = 48;

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;

export function isDecimal(value: unknown): value is DecimalValue {
  return typeof value === "object" && value !== null && "__encore_decimal" in value;
}

/** Parts without zeros at either end. */
export function decimalParts(negative: boolean, digits: string, exponent: number): DecimalParts {
  let start = 0;
  let end = digits.length;
  while (start < end && digits.charCodeAt(start) === ZERO) start++;
  while (end > start && digits.charCodeAt(end - 1) === ZERO) end--;
  if (start === end) return { negative: false, digits: "", exponent: 0 };
  return { negative, digits: digits.slice(start, end), exponent: exponent + digits.length - end };
}

/** Parses a decimal text. Returns its parts, or the official text of the problem. */
export function parseDecimal(text: string): DecimalParts | string {
  if (text.length > MAX_TEXT_BYTES) return `decimal string too long: ${Buffer.byteLength(text)} bytes`;
  const match = DECIMAL.exec(text);
  const whole = match?.[2] ?? "";
  const part = match?.[3] ?? "";
  if (!match || whole + part === "") return `Failed to parse decimal from string: ${quotable(text)}`;
  const exponent = Number(match[4] ?? 0);
  if (Math.abs(exponent) > MAX_EXPONENT) return `decimal exponent out of range: ${quotable(match[4] ?? "")}`;
  return decimalParts(match[1] === "-", whole + part, exponent - part.length);
}

/** The shortest exact text. Zeros at the end of `digits` stay, where no exponent is written. */
export function formatDecimal({ negative, digits, exponent }: DecimalParts): string {
  if (digits === "") return "0";
  const sign = negative ? "-" : "";
  if (exponent >= 0) return sign + digits + "0".repeat(exponent);
  const places = -exponent;
  const power = digits.length - places - 1;
  if (power < SMALLEST_PLAIN_POWER) {
    const rest = decimalParts(false, `1${digits.slice(1)}`, 0).digits.slice(1);
    return `${sign}${digits[0]}${rest && `.${rest}`}e${power}`;
  }
  const padded = digits.padStart(places + 1, "0");
  return `${sign}${padded.slice(0, -places)}.${padded.slice(-places)}`;
}

/** The canonical text of a request's decimal, or the official text of the problem. */
export function boundedDecimal(text: string, work: Work): { text: string } | { problem: string } {
  const parts = parseDecimal(text);
  if (typeof parts === "string") return { problem: parts };
  if (work.writesZeros(Math.max(0, parts.exponent))) return { text: formatDecimal(parts) };
  return { problem: "the decimals of a request must not have that many zeros together" };
}

/** The exact parts of a finite float. */
function ofFloat(value: number): DecimalParts {
  let size = Math.abs(value);
  let halves = 0;
  while (!Number.isInteger(size)) {
    size *= 2;
    halves++;
  }
  return decimalParts(value < 0, String(BigInt(size) * 5n ** BigInt(halves)), -halves);
}

/** The sign of `a - b` for two sizes. Digits are compared as texts, from the same power of ten on. */
function compareSizes(a: DecimalParts, b: DecimalParts): number {
  const [left, right] = [a.digits.length + a.exponent, b.digits.length + b.exponent];
  if (a.digits === "" || b.digits === "") return Math.sign(a.digits.length - b.digits.length);
  if (left !== right) return Math.sign(left - right);
  return a.digits < b.digits ? -1 : a.digits > b.digits ? 1 : 0;
}

/** The sign of `value - limit`; undefined when the value is no decimal. */
export function compareDecimal(value: unknown, limit: number): number | undefined {
  if (!isDecimal(value)) return undefined;
  const left = parseDecimal(value.value);
  if (typeof left === "string") return undefined;
  const right = ofFloat(limit);
  if (left.negative !== right.negative) return left.negative ? -1 : 1;
  return left.negative ? compareSizes(right, left) : compareSizes(left, right);
}
