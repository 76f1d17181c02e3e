// The native Decimal (contract 13.3): exact arithmetic on fractions. Dividing by zero throws, where the official
// runtime ends the process (contract, Appendix B).
import { formatDecimal, fraction, parseDecimal, type Fraction } from "../schema/decimal";

export class Decimal {
  readonly #value: Fraction;

  /** Throws for a text that is no decimal. */
  constructor(value: string | Fraction) {
    const parsed = typeof value === "string" ? parseDecimal(value) : value;
    if (typeof parsed === "string") throw Object.assign(new Error(parsed), { code: "InvalidArg" });
    this.#value = parsed;
  }

  add(other: Decimal): Decimal {
    const [a, b] = [this.#value, other.#value];
    return new Decimal(fraction(a.num * b.den + b.num * a.den, a.den * b.den));
  }

  sub(other: Decimal): Decimal {
    const [a, b] = [this.#value, other.#value];
    return new Decimal(fraction(a.num * b.den - b.num * a.den, a.den * b.den));
  }

  mul(other: Decimal): Decimal {
    const [a, b] = [this.#value, other.#value];
    return new Decimal(fraction(a.num * b.num, a.den * b.den));
  }

  div(other: Decimal): Decimal {
    const [a, b] = [this.#value, other.#value];
    return new Decimal(fraction(a.num * b.den, a.den * b.num));
  }

  toString(): string {
    return formatDecimal(this.#value);
  }
}
