// Cron expressions of five fields, as Encore's parser accepts them: `*`, numbers, names of days, ranges, lists, and steps of `*` only.
// One that has no tick in the next four years is refused as well.
const LIMITS = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12 },
  { min: 0, max: 6 },
] as const;
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const MAX_NUMBER = 2 ** 32;
/** The most days that a month can have, from January. */
const MONTH_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const FIVE_FIELDS =
  'invalid cron expression: must have exactly 5 fields (minute, hour, day of month, month, day of week), e.g. "* * * * *".';

class Problem extends Error {}

function number(text: string): number {
  if (text === "") throw new Problem("cannot parse integer from empty string");
  if (!/^\+?\d+$/.test(text)) throw new Problem("invalid digit found in string");
  const value = Number(text);
  if (value >= MAX_NUMBER) throw new Problem("number too large to fit in target type");
  return value;
}

/** Names of days count in every field. */
function valueOf(text: string): number {
  const day = DAYS.indexOf(text.toLowerCase());
  return day >= 0 ? day : number(text);
}

const span = (from: number, to: number, step = 1): number[] =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => from + i * step);

function range(text: string, max: number): number[] {
  const [first = "", last = "", ...rest] = text.split("-");
  if (rest.length) throw new Problem("invalid input");
  const [from, to] = [valueOf(first), valueOf(last)];
  if (from > to || to > max) throw new Problem("invalid input");
  return span(from, to);
}

function part(text: string, min: number, max: number): number[] {
  if (text === "*") return span(min, max);
  if (text.startsWith("*/")) {
    const step = number(text.replace(/^(\*\/)+/, ""));
    if (step > max || step === 0) throw new Problem("invalid value");
    return span(min, max, step);
  }
  if (text.includes("-")) return range(text, max);
  const value = valueOf(text);
  if (value > max) throw new Problem("invalid value");
  return [value];
}

function field(text: string, index: number): Set<number> {
  const { min, max } = LIMITS[index] ?? LIMITS[0];
  return new Set(
    text
      .split(",")
      .filter((item) => item !== "")
      .flatMap((item) => part(item, min, max)),
  );
}

/** Whether some date has a day and month of the sets; every such date falls on each day of the week within 28 years. */
function hasTick(sets: Set<number>[]): boolean {
  const [minutes, hours, days, months, weekdays] = sets;
  const dates = [...(months ?? [])].some((month) =>
    [...(days ?? [])].some((day) => day >= 1 && day <= (MONTH_DAYS[month - 1] ?? 0)),
  );
  return dates && !!minutes?.size && !!hours?.size && !!weekdays?.size;
}

/** The order in which Encore looks at the fields, and so the first to complain. */
const ORDER = [3, 2, 1, 0, 4];

/** What is wrong with the expression, or undefined. */
export function cronProblem(expression: string): string | undefined {
  const texts = expression.split(/\s+/).filter((text) => text !== "");
  if (texts.length !== LIMITS.length) return FIVE_FIELDS;
  try {
    const sets: Set<number>[] = [];
    for (const index of ORDER) sets[index] = field(texts[index] ?? "", index);
    return hasTick(sets) ? undefined : "invalid cron";
  } catch (error) {
    if (error instanceof Problem) return error.message;
    throw error;
  }
}
