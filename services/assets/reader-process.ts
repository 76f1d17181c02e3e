// The process that reads one file's text. How much time and memory a file takes is its author's to decide, so each is read in a
// process of its own that is ended when it takes too much, and knows nothing worth having: no environment, no database, no
// bucket; its bytes come by a pipe. Its memory has two limits: V8's for what it makes, and the whole process' for what V8 does not count
// (unpacked streams are buffers). A process and not a thread for the reasons of vectors/markdown-processes.ts.
import { fork, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { isFailure, type Failure, type Reader } from "./readable";

/** From the app's root, which is the working directory of every process of the app. */
const CHILD = "services/assets/readers/reader.child.mjs";

export interface ReaderLimits {
  /** Until the process has all bytes of the file: the bucket's and the machine's time, which says nothing of the file. */
  feedMs: number;
  /** From then on to its answer. */
  limitMs: number;
  /** Of V8's old generation. */
  heapMaxMb: number;
  /** Of all that the process has. */
  memoryMaxMb: number;
}

export const READER_LIMITS: ReaderLimits = { feedMs: 120_000, limitMs: 30_000, heapMaxMb: 160, memoryMaxMb: 240 };

export interface ReadText {
  /** Markdown, with a heading for each page, or row by row. */
  text: string;
}

export type ReaderAnswer = ReadText | { failure: Failure };

/** The process could not do its work, which says nothing of the file: another attempt may. */
export class ReaderProcessError extends Error {
  override readonly name = "ReaderProcessError";
}

/**
 * V8 ends a process that reaches its limit by one of these, by version and processor; SIGUSR2 is its own at the other limit. Not
 * SIGKILL: that comes from outside, of a machine without memory for instance.
 */
const OVER_MEMORY: ReadonlySet<NodeJS.Signals> = new Set(["SIGABRT", "SIGTRAP", "SIGILL", "SIGUSR2"]);
/** Of what a process writes about its end. */
const SAID_MAX_CHARS = 1_000;

export interface ReadableFile {
  bytes: number;
  source: AsyncIterable<Buffer>;
}

/**
 * Reads a file's text.
 * @throws ReaderProcessError, what the source throws, and the signal's reason
 */
export async function readText(
  reader: Reader,
  { bytes, source }: ReadableFile,
  { signal, limits = READER_LIMITS }: { signal: AbortSignal; limits?: ReaderLimits },
): Promise<ReaderAnswer> {
  signal.throwIfAborted();
  const child = start(reader, bytes, limits);
  let ended: ReaderAnswer | Error | undefined;
  const end = (answer: ReaderAnswer | Error): void => {
    ended ??= answer;
    child.kill("SIGKILL");
  };
  let timer = setTimeout(() => end(new ReaderProcessError("the file's bytes did not arrive in time")), limits.feedMs);
  const begin = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => end({ failure: "too_complex" }), limits.limitMs);
  };
  const abort = (): void => end(signal.reason instanceof Error ? signal.reason : new ReaderProcessError("called off"));
  signal.addEventListener("abort", abort);
  try {
    const answer = answerOf(child, begin);
    // What the source throws ends it; one that brings nothing more is not waited for.
    void feed(child, source).catch((error: unknown) => end(error as Error));
    end(await answer);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
  if (ended instanceof Error) throw ended;
  return ended as ReaderAnswer;
}

function start(reader: Reader, bytes: number, limits: ReaderLimits): ChildProcess {
  const { feedMs, limitMs, heapMaxMb, memoryMaxMb } = limits;
  return fork(join(process.cwd(), CHILD), [reader, bytes, memoryMaxMb, 2 * (feedMs + limitMs)].map(String), {
    serialization: "advanced",
    stdio: ["pipe", "ignore", "pipe", "ipc"],
    execArgv: [`--max-old-space-size=${heapMaxMb}`, "--max-semi-space-size=4"],
    env: {},
  });
}

/** As fast as the process takes it. One that has ended, or has enough, takes no more, and that is no error: what it answered counts. */
async function feed({ stdin }: ChildProcess, source: AsyncIterable<Buffer>): Promise<void> {
  if (stdin === null) return;
  stdin.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => stdin.once("close", resolve));
  for await (const bytes of source) {
    if (!stdin.write(bytes)) await Promise.race([new Promise((resolve) => stdin.once("drain", resolve)), closed]);
    if (stdin.destroyed) return;
  }
  stdin.end();
}

/** What the process answers; or what its end says. `begin` is called when it has all bytes. Never rejects. */
function answerOf(child: ChildProcess, begin: () => void): Promise<ReaderAnswer | Error> {
  return new Promise((resolve) => {
    let said = "";
    child.stderr?.setEncoding("utf8").on("data", (part: string) => (said = `${said}${part}`.slice(0, SAID_MAX_CHARS)));
    child.on("message", (message) => (isBegun(message) ? begin() : resolve(parseAnswer(message))));
    child.on("error", (error) => resolve(new ReaderProcessError("the process could not be started", { cause: error })));
    child.on("close", (status, signal) => {
      if (signal !== null && OVER_MEMORY.has(signal)) resolve({ failure: "too_complex" });
      else resolve(new ReaderProcessError(`the process ended by ${signal ?? `status ${status}`}: ${said}`));
    });
  });
}

const isBegun = (message: unknown): boolean => (message as { begun?: unknown }).begun === true;

function parseAnswer(message: unknown): ReaderAnswer | Error {
  const { text, failure } = message as { text?: unknown; failure?: unknown };
  if (typeof text === "string") return { text };
  if (typeof failure === "string" && isFailure(failure)) return { failure };
  return new ReaderProcessError("the process answered something else");
}
