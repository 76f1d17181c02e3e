// Cron expressions of five fields: `*`, numbers, names of days, ranges, lists and steps.
interface FieldRange {
  min: number;
  max: number;
}

const FIELDS: FieldRange[] = [{ min: 0, max: 59 }, { min: 0, max: 23 }, { min: 1, max: 31 }, { min: 1, max: 12 }, { min: 0, max: 6 }];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const FIVE_FIELDS =
  'invalid cron expression: must have exactly 5 fields (minute, hour, day of month, month, day of week), e.g. "* * * * *".';

function valueOf(text: string, { min, max }: FieldRange): number | undefined {
  const day = max === 6 ? DAYS.indexOf(text.toLowerCase()) : -1;
  const value = /^\d+$/.test(text) ? Number(text) : day;
  return value < min || value > max ? undefined : value;
}

function rangeProblem(text: string, range: FieldRange): string | undefined {
  const ends = text.split("-").map((end) => valueOf(end, range));
  const [from, to] = ends;
  if (ends.length !== 2) return "invalid range";
  if (from === undefined || to === undefined) return "invalid value";
  return from > to ? "invalid range" : undefined;
}

function partProblem(part: string, range: FieldRange): string | undefined {
  const [base = "", step, ...rest] = part.split("/");
  if (rest.length) return "invalid range";
  if (step !== undefined && !(/^\d+$/.test(step) && Number(step) > 0 && Number(step) <= range.max)) return "invalid value";
  if (base === "*") return undefined;
  if (base.includes("-")) return rangeProblem(base, range);
  return valueOf(base, range) === undefined ? "invalid value" : undefined;
}

/** What is wrong with the expression, or undefined. */
export function cronProblem(expression: string): string | undefined {
  const fields = expression.split(/\s+/).filter((field) => field !== "");
  if (fields.length !== FIELDS.length) return FIVE_FIELDS;
  for (const [index, range] of FIELDS.entries()) {
    for (const part of (fields[index] ?? "").split(",").filter((text) => text !== "")) {
      const problem = partProblem(part, range);
      if (problem) return problem;
    }
  }
  return undefined;
}
