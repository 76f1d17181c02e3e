// JavaScript of users, run away from everything.
import { api } from "encore.dev/api";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { z } from "zod";
import { isBounded } from "../../security/bounded-json";
import { charging } from "../../security/charges";
import { parseInput } from "../../security/input";
import { currentPrincipal } from "../../security/principal";
import {
  CODE_MAX_CHARS,
  DEFAULTS,
  DEPTH_MAX,
  HIGHEST,
  INPUT_MAX_BYTES,
  MODULE_NAME_MAX_CHARS,
  MODULES_MAX,
  NODES_MAX,
} from "./limits";
import { sandboxPool } from "./pool";

interface RunRequest {
  /** The body of an async function with the argument `input`: what it returns is the output. */
  code: string & MinLen<1> & MaxLen<64000>;
  input?: unknown;
  timeoutMs?: number & Min<1> & Max<10000>;
  memoryMb?: number & Min<1> & Max<64>;
  /** Source texts of modules, by the name that `import(name)` asks for. */
  modules?: Record<string, string>;
  /** The same random numbers at each run with the same one. */
  seed?: number;
  /** What the code's clock shows, and goes on showing (ISO 8601). */
  now?: string;
}

interface RunError {
  /** threw, timeout, memory, crashed, unsettled or output. */
  reason: string;
  name: string;
  message: string;
  stack?: string;
}

interface RunLog {
  level: string;
  text: string;
}

interface RunResponse {
  output?: unknown;
  error?: RunError;
  logs: RunLog[];
  durationMs: number;
}

const input = z.object({
  code: z.string().min(1).max(CODE_MAX_CHARS),
  input: z
    .unknown()
    .refine((value) => isBounded(value, DEPTH_MAX, NODES_MAX), "has too many levels or values")
    .optional(),
  timeoutMs: z.int().min(1).max(HIGHEST.timeoutMs).default(DEFAULTS.timeoutMs),
  memoryMb: z.int().min(1).max(HIGHEST.memoryMb).default(DEFAULTS.memoryMb),
  modules: z
    .record(z.string().min(1).max(MODULE_NAME_MAX_CHARS), z.string())
    .refine((modules) => Object.keys(modules).length <= MODULES_MAX, `has more than ${MODULES_MAX} modules`)
    .refine((modules) => Object.values(modules).join("").length <= CODE_MAX_CHARS, "has too much source text")
    .optional(),
  seed: z.int32().optional(),
  now: z.iso.datetime({ offset: true }).optional(),
});

const json = z
  .string()
  .refine((text) => Buffer.byteLength(text) <= INPUT_MAX_BYTES, `is larger than ${INPUT_MAX_BYTES} bytes`)
  .optional();

/** A run costs a point for each so much time that it may take, the first by the call itself. */
const MS_PER_POINT = 500;

/** Runs JavaScript without network, files and environment. What goes wrong in it is told in `error`. */
export const run = api(
  { expose: true, auth: true, method: "POST", path: "/sandbox/run", tags: ["can:sandbox.run", "limit:sandbox"] },
  async (req: RunRequest): Promise<RunResponse> => {
    const { input: value, now, ...rest } = parseInput(input, req);
    const job = { ...rest, nowMs: now === undefined ? undefined : Date.parse(now) };
    const { input: text } = parseInput(z.object({ input: json }), { input: JSON.stringify(value) });
    const points = Math.ceil(job.timeoutMs / MS_PER_POINT) - 1;
    const { error, ...outcome } = await charging("sandbox", points, () =>
      sandboxPool().run(currentPrincipal().tenantId, { ...job, input: text }),
    );
    if (error === undefined) return outcome;
    const { stack, ...told } = error;
    return { ...outcome, error: stack === undefined ? told : { ...told, stack } };
  },
);
