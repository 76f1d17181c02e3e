// Exact decimals as fractions of big integers (contract L-50): what the SDK's Decimal computes with and what
// decimal fields are checked with. Like the official runtime, a text loses its trailing zeros.

import { quotable } from "./rust-text";

/** The SDK's Decimal, as the native side recognises it (contract 13.3). */
export interface DecimalValue {
  readonly __encore_decimal: true;
  readonly value: string;
}

/** numerator / denominator in lowest terms; the denominator is positive. */
export interface Fraction {
  num: bigint;
  den: bigint;
}

const MAX_TEXT_BYTES = 1 << 18;
const MAX_EXPONENT = 1 << 14;
/** Digits after the point of a fraction that has no finite decimal form. */
const ENDLESS_DIGITS = 10n;
/** Below this power of ten the official runtime (malachite) writes an exponent. */
const SMALLEST_PLAIN_POWER = -5;

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;

export function isDecimal(value: unknown): value is DecimalValue {
  return typeof value === "object" && value !== null && "__encore_decimal" in value;
}

function gcd(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a < 0n ? -a : a;
}

export function fraction(num: bigint, den: bigint): Fraction {
  if (den === 0n) throw new Error("division by zero");
  const divisor = gcd(num, den) || 1n;
  const sign = den < 0n ? -1n : 1n;
  return { num: (sign * num) / divisor, den: (sign * den) / divisor };
}

/** Parses a decimal text. Returns the fraction, or the official text of the problem. */
export function parseDecimal(text: string): Fraction | string {
  if (text.length > MAX_TEXT_BYTES) return `decimal string too long: ${Buffer.byteLength(text)} bytes`;
  const match = DECIMAL.exec(text);
  const whole = match?.[2] ?? "";
  const part = match?.[3] ?? "";
  if (!match || whole + part === "") return `Failed to parse decimal from string: ${quotable(text)}`;
  const exponent = Number(match[4] ?? 0);
  if (Math.abs(exponent) > MAX_EXPONENT) return `decimal exponent out of range: ${match[4]}`;
  const digits = BigInt(`${match[1] === "-" ? "-" : ""}${whole}${part}`.replace(/^-$/, "0"));
  const scale = exponent - part.length;
  return scale >= 0 ? { num: digits * 10n ** BigInt(scale), den: 1n } : fraction(digits, 10n ** BigInt(-scale));
}

/** Digits needed after the point, or null when the decimal form never ends. */
function digitsAfterPoint(den: bigint): bigint | null {
  let twos = 0n;
  let fives = 0n;
  while (den % 2n === 0n) {
    den /= 2n;
    twos++;
  }
  while (den % 5n === 0n) {
    den /= 5n;
    fives++;
  }
  return den === 1n ? (twos > fives ? twos : fives) : null;
}

function roundHalfEven(num: bigint, den: bigint): bigint {
  const quotient = num / den;
  const twice = (num % den) * 2n;
  return twice > den || (twice === den && quotient % 2n === 1n) ? quotient + 1n : quotient;
}

/** The shortest exact text; an endless fraction is rounded to ten digits after the point. */
export function formatDecimal({ num, den }: Fraction): string {
  const places = digitsAfterPoint(den) ?? ENDLESS_DIGITS;
  const sign = num < 0n ? "-" : "";
  const size = num < 0n ? -num : num;
  const digits = String(roundHalfEven(size * 10n ** places, den));
  if (places === 0n) return sign + digits;
  const point = digits.length - Number(places);
  if (point - 1 < SMALLEST_PLAIN_POWER && size !== 0n) {
    const fractionDigits = digits.slice(1).replace(/(?<!0)0+$/, "");
    return `${sign}${digits[0]}${fractionDigits && `.${fractionDigits}`}e${point - 1}`;
  }
  const padded = digits.padStart(Number(places) + 1, "0");
  return `${sign}${padded.slice(0, -Number(places))}.${padded.slice(-Number(places))}`;
}

/** The exact fraction of a finite float. */
function ofFloat(value: number): Fraction {
  let den = 1n;
  while (!Number.isInteger(value)) {
    value *= 2;
    den *= 2n;
  }
  return { num: BigInt(value), den };
}

/** The sign of `value - limit`; undefined when the value is no decimal. */
export function compareDecimal(value: unknown, limit: number): number | undefined {
  if (!isDecimal(value)) return undefined;
  const left = parseDecimal(value.value);
  if (typeof left === "string") return undefined;
  const right = ofFloat(limit);
  const difference = left.num * right.den - right.num * left.den;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}
