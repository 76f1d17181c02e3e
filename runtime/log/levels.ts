// Levels of the native logger (13.1) and the filters of X-43.

/** Numbers of `LogLevel` in napi.d.cts. */
export const LogLevel = { Trace: 1, Debug: 2, Info: 3, Warn: 4, Error: 5 } as const;
export type LogLevel = (typeof LogLevel)[keyof typeof LogLevel];

export const levelNames = ["", "trace", "debug", "info", "warn", "error"] as const;
export type LevelName = "trace" | "debug" | "info" | "warn" | "error";

const OFF = 6;

/**
 * Lowest level that is written. `text` is a level name, or `off`; filters in the `RUST_LOG` form
 * (`warn,encore=debug`) count by their first plain part.
 */
export function thresholdFrom(text: string | undefined, otherwise: LevelName): number {
  const wanted = text
    ?.split(",")
    .find((part) => !part.includes("="))
    ?.trim()
    .toLowerCase();
  if (wanted === "off" || wanted === "none") return OFF;
  const found = levelNames.indexOf((wanted || otherwise) as LevelName);
  return found > 0 ? found : levelNames.indexOf(otherwise);
}

export const silent = OFF;
