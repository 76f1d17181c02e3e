// Strings and numbers that a writer may write and a reader refuses.
import type { JsonSchema } from "../contracts";
import { shown, type Misfit } from "./misfit";

const numberOf = (value: unknown, otherwise: number): number => (typeof value === "number" ? value : otherwise);

/**
 * Patterns and formats are compared by their text: whether one regular expression accepts all that another does is not
 * asked, so that a pattern that only looks different is refused.
 */
export function stringMisfits(written: JsonSchema, read: JsonSchema, path: string): Misfit[] {
  const found: string[] = [];
  if (numberOf(written.minLength, 0) < numberOf(read.minLength, 0))
    found.push(`shorter than ${String(read.minLength)} characters`);
  if (numberOf(written.maxLength, Infinity) > numberOf(read.maxLength, Infinity))
    found.push(`longer than ${String(read.maxLength)} characters`);
  if (read.format !== undefined && read.format !== written.format)
    found.push(`of another format than ${String(read.format)}`);
  else if (read.pattern !== undefined && read.pattern !== written.pattern)
    found.push(`other than what the pattern ${String(read.pattern)} describes`);
  for (const encoding of ["contentEncoding", "contentMediaType"] as const)
    if (read[encoding] !== undefined && read[encoding] !== written[encoding])
      found.push(`of another ${encoding} than ${shown(read[encoding])}`);
  return found.map((detail) => ({ path, rule: "refused", detail }));
}

export function numberMisfits(written: JsonSchema, read: JsonSchema, path: string): Misfit[] {
  const found: string[] = [];
  if (read.type === "integer" && written.type !== "integer") found.push("a number that is not whole");
  const [low, high] = [boundOf(written, "minimum"), boundOf(written, "maximum")];
  const [least, most] = [boundOf(read, "minimum"), boundOf(read, "maximum")];
  if (isWider(low, least))
    found.push(`${least.isExclusive ? "" : "less than "}${least.value}${least.isExclusive ? " or less" : ""}`);
  if (isWider({ ...high, value: -high.value }, { ...most, value: -most.value }))
    found.push(`${most.isExclusive ? "" : "more than "}${most.value}${most.isExclusive ? " or more" : ""}`);
  const step = numberOf(read.multipleOf, 0);
  if (step > 0 && !isMultiple(numberOf(written.multipleOf, written.type === "integer" ? 1 : 0), step))
    found.push(`other than a multiple of ${step}`);
  return found.map((detail) => ({ path, rule: "refused", detail }));
}

interface Bound {
  value: number;
  isExclusive: boolean;
}

/** The bound that holds, of the inclusive and the exclusive one. For whole numbers `> 0` is `≥ 1`. */
function boundOf(schema: JsonSchema, side: "minimum" | "maximum"): Bound {
  const sign = side === "minimum" ? 1 : -1;
  const inclusive = numberOf(schema[side], -sign * Infinity);
  const exclusive = numberOf(schema[side === "minimum" ? "exclusiveMinimum" : "exclusiveMaximum"], -sign * Infinity);
  if (exclusive * sign < inclusive * sign || !Number.isFinite(exclusive))
    return { value: inclusive, isExclusive: false };
  if (schema.type !== "integer") return { value: exclusive, isExclusive: true };
  const whole = sign === 1 ? Math.floor(exclusive) + 1 : Math.ceil(exclusive) - 1;
  return { value: whole * sign > inclusive * sign ? whole : inclusive, isExclusive: false };
}

/** Whether a lower bound lets something through that another does not. */
const isWider = (written: Bound, read: Bound): boolean =>
  written.value < read.value || (written.value === read.value && read.isExclusive && !written.isExclusive);

const isMultiple = (value: number, step: number): boolean =>
  value !== 0 && Math.abs(value / step - Math.round(value / step)) < 1e-9;
