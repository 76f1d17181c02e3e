// `groundwork trace ID`: the way of one request through the last lines that the app logged in development. The id is the
// answer's `x-encore-trace-id`; its spelling in hex, as traces have it, is understood too.
import { existsSync, readFileSync } from "node:fs";
import { keptFiles } from "../log/kept-lines";
import { findAppRoot, stateDirOf, UsageError } from "./app-root";
import type { CommandInput } from "./command-input";
import { dim, say } from "./console";

const BASE32 = /^[0-9a-v]{26}$/;
const HEX = /^[0-9a-f]{32}$/;
const HEX_DIGITS = 32;
/** 26 digits of 5 bits are two more than the id has. */
const SPARE_BITS = 2n;

/** Both spellings of an id. */
export function spellingsOf(id: string): { base32: string; hex: string } | undefined {
  if (HEX.test(id)) {
    const base32 = (BigInt(`0x${id}`) << SPARE_BITS).toString(32).padStart(26, "0");
    return { base32, hex: id };
  }
  if (!BASE32.test(id)) return undefined;
  const bits = [...id].reduce((sum, digit) => (sum << 5n) | BigInt(parseInt(digit, 32)), 0n);
  return { base32: id, hex: (bits >> SPARE_BITS).toString(16).padStart(HEX_DIGITS, "0") };
}

type Line = Record<string, unknown>;

function parsed(text: string): Line | undefined {
  try {
    const line: unknown = JSON.parse(text);
    return typeof line === "object" && line !== null ? (line as Line) : undefined;
  } catch {
    return undefined; // cut off by a kill
  }
}

/** The lines that carry the id, the oldest first. */
export function linesOf(files: string[], id: { base32: string; hex: string }): Line[] {
  const found = files
    .filter((file) => existsSync(file))
    .flatMap((file) => readFileSync(file, "utf8").split("\n"))
    .filter((text) => text.includes(id.base32) || text.includes(id.hex))
    .map(parsed)
    .filter((line): line is Line => line !== undefined);
  return found.sort((a, b) => (textOf(a.time) < textOf(b.time) ? -1 : 1));
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""));

/** Said once above, or of no interest to a reader. */
const LEFT_OUT = new Set([
  "time",
  "level",
  "message",
  "requestId",
  "traceId",
  "spanId",
  "trace_id",
  "span_id",
  "service",
]);

/** Lines repeat what callers sent: their control characters must not reach the terminal. */
const visible = (text: string): string =>
  text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);

function print(line: Line): void {
  const fields = Object.entries(line).filter(([name]) => !LEFT_OUT.has(name) && name !== "component" && name !== "err");
  const rest = fields.map(([name, value]) => `${name}=${textOf(value)}`).join(" ");
  const time = textOf(line.time).replace(/^.*T|Z$/g, "");
  const head = `${time}  ${textOf(line.level).padEnd(5)}  ${textOf(line.component ?? line.service).padEnd(10)}  `;
  say(`${visible(head + textOf(line.message))}  ${dim(visible(rest))}`);
  const stack = (line.err as { stack?: unknown } | undefined)?.stack;
  if (typeof stack === "string") for (const part of stack.split("\n")) say(dim(`    ${visible(part)}`));
}

export async function trace({ flags, words, env }: CommandInput): Promise<void> {
  const id = spellingsOf(words[0]?.trim().toLowerCase() ?? "");
  if (!id)
    throw new UsageError(
      "name a request: `groundwork trace ID`, where ID is the answer's x-encore-trace-id (26 characters) or a trace id in hex (32)",
    );
  const root = findAppRoot(flags.app);
  const files = keptFiles(stateDirOf(root, env));
  if (!files.some((file) => existsSync(file)))
    throw new UsageError(
      `nothing is kept in ${files[0] ?? ""}: lines are kept while the app runs in development; elsewhere search your logs for ${id.base32} or ${id.hex}`,
    );
  const lines = linesOf(files, id);
  if (flags.json) return say(JSON.stringify(lines, null, 2));
  say(`${id.base32} ${dim(`(${id.hex} in traces)`)}`);
  for (const line of lines) print(line);
  if (lines.length === 0)
    say("no line has this id: only the last 16 MB are kept, and a read that succeeds leaves none");
  await Promise.resolve();
}
