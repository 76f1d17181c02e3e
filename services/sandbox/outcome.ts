// What became of a run, as its process tells it. Whatever comes from there may have been made by the code that ran: it is
// looked at like any other stranger's, and its length was bounded before it is read.
import { z } from "zod";
import { isBounded } from "../../security/bounded-json";
import { CALL_MAX_CHARS, DEPTH_MAX, LINE_MAX_CHARS, NODES_MAX, STACK_MAX_CHARS } from "./limits";

/**
 * threw: the code's own error. timeout, memory: over its limits. crashed: the engine could go on no further. unsettled: it waits for
 * a promise that nothing will settle. output: what it returned is too large.
 */
const reasons = ["threw", "timeout", "memory", "crashed", "unsettled", "output"] as const;
export type Reason = (typeof reasons)[number];

export interface CodeError {
  reason: Reason;
  name: string;
  message: string;
  stack?: string | undefined;
}

export interface LogLine {
  level: "log" | "debug" | "info" | "warn" | "error";
  text: string;
}

export interface Outcome {
  /** Of JSON; absent when the code returned nothing, or failed. */
  output?: unknown;
  error?: CodeError;
  logs: LogLine[];
  durationMs: number;
}

const codeError = z.object({
  reason: z.enum(reasons),
  name: z.string().max(LINE_MAX_CHARS),
  message: z.string().max(LINE_MAX_CHARS),
  stack: z.string().max(STACK_MAX_CHARS).optional(),
});

const told = z.union([
  z.object({ isReady: z.literal(true) }),
  z.object({ pong: z.number() }),
  z.object({
    log: z.object({
      level: z.enum(["log", "debug", "info", "warn", "error"]),
      text: z.string().max(LINE_MAX_CHARS),
    }),
  }),
  z.object({
    call: z.object({ id: z.int(), name: z.string().max(100), values: z.string().max(CALL_MAX_CHARS) }),
  }),
  z.object({
    ended: z.object({
      output: z.string().optional(),
      error: codeError.optional(),
      isSpent: z.boolean().optional(),
      durationMs: z.number().nonnegative(),
    }),
  }),
]);
export type Told = z.infer<typeof told>;
export type Ended = Extract<Told, { ended: unknown }>["ended"];

/** @throws for what no process of ours says */
export const parseTold = (line: string): Told => told.parse(JSON.parse(line));

const TOO_DEEP: CodeError = {
  reason: "output",
  name: "OutputError",
  message: `the output has more than ${DEPTH_MAX} levels or ${NODES_MAX} values`,
};

/** What a run answers: its output read, unless it is nested too deep for whoever looks into it next. */
export function outcomeOf({ output, error, durationMs }: Ended, logs: LogLine[]): Outcome {
  const told = { logs, durationMs: Math.round(durationMs * 10) / 10 };
  if (error !== undefined) return { error, ...told };
  if (output === undefined) return told;
  const value: unknown = JSON.parse(output);
  return isBounded(value, DEPTH_MAX, NODES_MAX) ? { output: value, ...told } : { error: TOO_DEEP, ...told };
}
