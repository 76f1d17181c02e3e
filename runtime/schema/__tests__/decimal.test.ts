// Decimals: their texts, their bounds, calculating with them, and how long the worst of them take.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { overgrowth } from "../../../scripts/testing/growth";
import { Decimal } from "../../native/decimal";
import { compareDecimal, formatDecimal, parseDecimal } from "../decimal";
import { bool, decimal, decoder, list, newDecimal, struct, union } from "./support";

describe("decimals", () => {
  const text = (value: string): string => {
    const parsed = parseDecimal(value);
    return typeof parsed === "string" ? parsed : formatDecimal(parsed);
  };
  test.each([
    ["1.50", "1.5"],
    ["007.100", "7.1"],
    ["1e3", "1000"],
    ["-0.001", "-0.001"],
    ["+5", "5"],
    ["0.000001", "1e-6"],
    ["0.00001", "0.00001"],
    ["0.0000001", "1e-7"],
    ["-1.25e-9", "-1.25e-9"],
    ["0", "0"],
    ["-0.0", "0"],
    ["123456789012345678901234567890.123456789", "123456789012345678901234567890.123456789"],
  ])("%s is %s", (from, to) => expect(text(from)).toBe(to));
  test.each(["", "x", "1.2.3", "5n", ".", "1e", "0x1"])("%j is none", (value) =>
    expect(text(value)).toBe(`Failed to parse decimal from string: ${value}`),
  );
  test("a text that would need gigabytes is refused", () =>
    expect(text("1e99999999")).toBe("decimal exponent out of range: 99999999"));

  test("arithmetic is exact, and division by zero an error", () => {
    expect(new Decimal("0.1").add(new Decimal("0.2")).toString()).toBe("0.3");
    expect(new Decimal("1").div(new Decimal("3")).mul(new Decimal("3")).toString()).toBe("1");
    expect(new Decimal("2").div(new Decimal("3")).toString()).toBe("0.6666666667");
    expect(new Decimal("5").sub(new Decimal("7.5")).toString()).toBe("-2.5");
    expect(() => new Decimal("1").div(new Decimal("0"))).toThrow("division by zero");
    expect(new Decimal("-1e-3").mul(new Decimal("2.50")).toString()).toBe("-0.0025");
    expect(new Decimal("7").div(new Decimal("-16")).toString()).toBe("-0.4375");
    expect(new Decimal("3e20").div(new Decimal("6e-3")).toString()).toBe("5" + "0".repeat(22));
    expect(new Decimal("-1").div(new Decimal("6")).toString()).toBe("-0.1666666667");
    expect(new Decimal("1").div(new Decimal("3e20")).toString()).toBe("0e-10");
  });

  test("the longest texts are read in linear time, whatever their digits and exponent are", async () => {
    const digits = (count: number): string => "1234567893".repeat(Math.ceil(count / 10));
    const texts: ((size: number) => string)[] = [
      digits,
      (size) => `-0.${digits(size)}`,
      (size) => `${digits(size)}e-16384`,
      (size) => `${"7".repeat(size / 2)}.${"3".repeat(size / 2)}`,
      (size) => "0".repeat(size),
    ];
    for (const make of texts) expect(await overgrowth(262_144, make, text)).toBeUndefined();
    const long = digits(260_000);
    expect(text(`-0.${long}`)).toBe(`-0.${long}`);
    expect(text(`${"0".repeat(1000)}1.5${"0".repeat(1000)}`)).toBe("1.5");
  });

  test("calculating with the longest texts ends", () => {
    const fraction = new Decimal(`0.${"123456789".repeat(28_000)}`);
    expect(fraction.add(fraction).div(new Decimal("2")).sub(fraction).toString()).toBe("0");
  });

  test("a list of short decimals cannot become gigabytes of zeros", () => {
    const decode = decoder(struct({ v: list(union(decimal, bool)), w: list(decimal) }));
    const body = (v: string[], w: string[]): string => JSON.stringify({ v, w });
    expect(() => decode(body([], new Array<string>(100).fill("1e16384")))).not.toThrow();
    expect(() => decode(body([], new Array<string>(20_000).fill("1e16384")))).toThrow(
      /w\[\d+\]: invalid decimal: .* zeros/,
    );
    expect(() => decode(body(new Array<string>(20_000).fill("1e16384"), []))).toThrow(/^v\[128\]: invalid type/);
    expect(() => decode(body(new Array<string>(20_000).fill("1e-16384"), []))).not.toThrow();
  });

  test("a bound is compared with the digits alone", () => {
    const compare = (value: string, limit: number): number | undefined => compareDecimal(newDecimal(value), limit);
    const ordered = [
      "-1e9",
      "-10.5",
      "-10.4999999999999999999",
      "0",
      "1e-400",
      "0.1",
      "10.4999999999999999999",
      "10.5",
      "1e400",
    ];
    const limits = [-1e9, -10.5, 0, 1e-5, 10.5, 1e300];
    const exact = (value: string): number => Number(value);
    for (const limit of limits)
      for (const value of ordered) {
        const near = /9{9}/.test(value) && Math.abs(limit) === 10.5 && Math.sign(limit) === Math.sign(exact(value));
        const tiny = value === "1e-400" && limit === 0;
        const expected = tiny
          ? 1
          : near
            ? -Math.sign(limit)
            : exact(value) === limit
              ? 0
              : exact(value) < limit
                ? -1
                : 1;
        expect([value, limit, compare(value, limit)]).toEqual([value, limit, expected]);
      }
  });

  test("texts and arithmetic agree with integers of the same digits", () =>
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }),
        fc.integer({ min: 0, max: 12 }),
        (whole, places) => {
          const power = 10n ** BigInt(places);
          const value = text(`${whole}e-${places}`);
          expect(new Decimal(value).mul(new Decimal(String(power))).toString()).toBe(String(whole));
          expect(new Decimal(String(whole)).div(new Decimal(String(power))).toString()).toBe(value);
        },
      ),
    ));
});
