// A prepared line is the line that the format makes of the same fields: the faster way may not be another format.
import { describe, expect, test } from "vitest";
import { formatConsole, formatGoogle, formatJson } from "../format";
import { LogLevel } from "../levels";
import { isoTime } from "../prepared";

const fixed = { service: "shop", endpoint: 'get\n"item"' };
const names = ["trace_id", "uid", "duration", "code"];
const rows: unknown[][] = [
  ["t1", "u-1", 0.25, "ok"],
  ["t2", undefined, 3, "internal"],
  [undefined, undefined, 1e-7, undefined],
  ["\u2028 \ud800", "ü", -0, "\u0000"],
];
const times = [0, 999, 1000, 1_700_000_000_001, 1_700_000_000_000, 1_699_999_999_999];

describe.each([
  ["json", formatJson],
  ["google", formatGoogle],
  ["console", formatConsole],
] as const)("%s", (_name, format) => {
  const lineOf = format.prepare({ level: LogLevel.Info, message: 'request "completed"', fixed, names });

  test.each(rows.map((values) => [values] as const))("%j", (values) => {
    const user = { ...fixed, ...Object.fromEntries(names.map((name, i) => [name, values[i]])) };
    for (const at of times)
      expect(lineOf(values, at)).toBe(
        format.line({ level: LogLevel.Info, message: 'request "completed"', user, standard: {} }, at),
      );
  });
});

test("times are those of Date, in whatever order they come", () => {
  for (const ms of [...times, ...[...times].reverse(), -1, -1001]) expect(isoTime(ms)).toBe(new Date(ms).toISOString());
});
