// The rules of `encore.dev/validate` (contract 3.7), compiled once. A check returns the problem or undefined.
import type { Validation, ValidationRule } from "../model";
import { compareDecimal, type DecimalValue } from "./decimal";
import { isEmail } from "./email";
import { compileRegexp, RegexpLimit } from "./regexp";
import { debugString, displayFloat, floatText, quotable } from "./rust-text";
import { isUrl } from "./url";
import type { Work } from "./work";

/** A decoded value before it becomes the handler's: numbers know whether they were written as floats. */
export type Checkable = string | number | bigint | DecimalValue | readonly unknown[] | unknown;
export type Check = (value: Checkable, isFloat: boolean, work: Work) => string | undefined;

/** Compiles rules joined by `&` and `|`: of failed alternatives the first one's problem is reported. */
export function compileCheck(validation: Validation): Check {
  if ("rule" in validation) return compileRule(validation);
  const checks = validation.of.map(compileCheck);
  if (validation.op === "and") return (value, isFloat, work) => firstProblem(checks, value, isFloat, work);
  return (value, isFloat, work) => {
    const first = checks[0]?.(value, isFloat, work);
    if (first === undefined || checks.slice(1).some((c) => c(value, isFloat, work) === undefined)) return undefined;
    return first;
  };
}

function firstProblem(checks: readonly Check[], value: Checkable, isFloat: boolean, work: Work): string | undefined {
  for (const check of checks) {
    const problem = check(value, isFloat, work);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function compileRule(rule: ValidationRule): Check {
  switch (rule.rule) {
    case "minLen":
      return length((got) =>
        got < rule.value ? `length too short (got ${got}, expected at least ${rule.value})` : undefined,
      );
    case "maxLen":
      return length((got) =>
        got > rule.value ? `length too long (got ${got}, expected at most ${rule.value})` : undefined,
      );
    case "minValue":
      return bound(rule.value, "least", -1);
    case "maxValue":
      return bound(rule.value, "most", 1);
    case "startsWith":
      return text((v) => v.startsWith(rule.value), `value does not start with ${debugString(rule.value)}`);
    case "endsWith":
      return text((v) => v.endsWith(rule.value), `value does not end with ${debugString(rule.value)}`);
    case "matchesRegexp":
      return regexp(rule.value);
    case "is":
      return rule.value === "email" ? text(isEmail, "value is not an email") : text(isUrl, "value is not a url");
  }
}

function regexp(source: string): Check {
  const pattern = compileRegexp(source);
  const problem = `value does not match the regexp ${debugString(source)}`;
  return (value, _isFloat, work) => {
    if (typeof value !== "string") return "unexpected type (expected string)";
    try {
      return pattern.test(value, work) ? undefined : problem;
    } catch (error) {
      if (error instanceof RegexpLimit) return `value is too long for the regexp ${debugString(source)}: shorten it`;
      throw error;
    }
  };
}

function text(fits: (value: string) => boolean, problem: string): Check {
  return (value) =>
    typeof value !== "string" ? "unexpected type (expected string)" : fits(value) ? undefined : problem;
}

/** Strings are measured in UTF-8 bytes, as the official runtime does. */
function length(problem: (got: number) => string | undefined): Check {
  return (value) => {
    if (typeof value === "string") return problem(Buffer.byteLength(value));
    return Array.isArray(value) ? problem(value.length) : "unexpected type (expected string or array)";
  };
}

/** `side` is the sign of a comparison that breaks the bound. Integers are compared with the truncated bound. */
function bound(limit: number, word: "least" | "most", side: -1 | 1): Check {
  const whole = Math.trunc(limit);
  const problem = (got: string): string => `value must be at ${word} ${displayFloat(limit)} (got ${got})`;
  const breaks = (order: number): boolean => order * side > 0;
  return (value, isFloat) => {
    if (typeof value === "number") {
      const against = isFloat ? limit : whole;
      return breaks(value - against) ? problem(isFloat ? floatText(value) : String(value)) : undefined;
    }
    if (typeof value === "bigint")
      return breaks(value < whole ? -1 : value > whole ? 1 : 0) ? problem(String(value)) : undefined;
    const order = compareDecimal(value, limit);
    if (order === undefined) return "unexpected type (expected number)";
    return breaks(order) ? problem(quotable(String(value))) : undefined;
  };
}
