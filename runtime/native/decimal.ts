// The native Decimal (contract 13.3): exact arithmetic. Dividing by zero throws, where the official runtime ends the
// process (contract, Appendix B). The texts of requests are long: a value stays a text until somebody calculates with it,
// and powers of ten stay exponents, so that only divisions make fractions which have to be reduced.
import { decimalParts, formatDecimal, parseDecimal, type DecimalParts } from "../schema/decimal";

/** num × 10^exponent / den; the denominator is positive. */
interface Ratio {
  num: bigint;
  exponent: number;
  den: bigint;
}

/** Digits after the point of a fraction that has no finite decimal form. */
const ENDLESS_DIGITS = 10;
/** Euclid's steps are as many as a number is long: denominators beyond this stay as they are. */
const REDUCED_HEX_DIGITS_MAX = 4096;

function gcd(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a < 0n ? -a : a;
}

function ratio(num: bigint, exponent: number, den: bigint): Ratio {
  if (den === 0n) throw new Error("division by zero");
  if (den < 0n) [num, den] = [-num, -den];
  if (den === 1n || den.toString(16).length > REDUCED_HEX_DIGITS_MAX) return { num, exponent, den };
  const divisor = gcd(num % den, den);
  return { num: num / divisor, exponent, den: den / divisor };
}

const tens = (exponent: number): bigint => 10n ** BigInt(exponent);

/** Takes a factor out of a number as often as it is in it, in few divisions. */
function without(number: bigint, factor: bigint): { rest: bigint; times: number } {
  let times = 0;
  let [power, count] = [factor, 1];
  for (;;) {
    if (number % power === 0n) {
      number /= power;
      times += count;
      [power, count] = [power * power, count * 2];
    } else if (count === 1) return { rest: number, times };
    else [power, count] = [factor, 1];
  }
}

function roundHalfEven(num: bigint, den: bigint): bigint {
  const quotient = num / den;
  const twice = (num % den) * 2n;
  return twice > den || (twice === den && quotient % 2n === 1n) ? quotient + 1n : quotient;
}

/** Exact where the decimal form ends; else rounded to ten digits after the point. */
function partsOf({ num, exponent, den }: Ratio): DecimalParts {
  const negative = num < 0n;
  const size = negative ? -num : num;
  const { rest: odd, times: twos } = without(den, 2n);
  const { rest, times: fives } = without(odd, 5n);
  if (size % rest === 0n) {
    const places = Math.max(twos, fives);
    const whole = (size / rest) * 2n ** BigInt(places - twos) * 5n ** BigInt(places - fives);
    return decimalParts(negative, String(whole), exponent - places);
  }
  const shift = exponent + ENDLESS_DIGITS;
  const rounded = shift >= 0 ? roundHalfEven(size * tens(shift), den) : roundHalfEven(size, den * tens(-shift));
  return { negative, digits: String(rounded), exponent: -ENDLESS_DIGITS };
}

export class Decimal {
  #parts: DecimalParts | undefined;
  #ratio: Ratio | undefined;

  /** Throws for a text that is no decimal. */
  constructor(value: string | Ratio) {
    if (typeof value !== "string") {
      this.#ratio = value;
      return;
    }
    const parsed = parseDecimal(value);
    if (typeof parsed === "string") throw Object.assign(new Error(parsed), { code: "InvalidArg" });
    this.#parts = parsed;
  }

  static #ratioOf(decimal: Decimal): Ratio {
    if (decimal.#ratio === undefined) {
      const { negative, digits, exponent } = decimal.#parts!;
      decimal.#ratio = { num: BigInt(`${negative ? "-" : ""}${digits || "0"}`), exponent, den: 1n };
    }
    return decimal.#ratio;
  }

  add(other: Decimal): Decimal {
    const [a, b] = [Decimal.#ratioOf(this), Decimal.#ratioOf(other)];
    const exponent = Math.min(a.exponent, b.exponent);
    const left = a.num * tens(a.exponent - exponent) * b.den;
    return new Decimal(ratio(left + b.num * tens(b.exponent - exponent) * a.den, exponent, a.den * b.den));
  }

  sub(other: Decimal): Decimal {
    const { num, exponent, den } = Decimal.#ratioOf(other);
    return this.add(new Decimal({ num: -num, exponent, den }));
  }

  mul(other: Decimal): Decimal {
    const [a, b] = [Decimal.#ratioOf(this), Decimal.#ratioOf(other)];
    return new Decimal(ratio(a.num * b.num, a.exponent + b.exponent, a.den * b.den));
  }

  div(other: Decimal): Decimal {
    const [a, b] = [Decimal.#ratioOf(this), Decimal.#ratioOf(other)];
    return new Decimal(ratio(a.num * b.den, a.exponent - b.exponent, a.den * b.num));
  }

  toString(): string {
    this.#parts ??= partsOf(Decimal.#ratioOf(this));
    return formatDecimal(this.#parts);
  }
}
