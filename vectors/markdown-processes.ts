// The processes that read Markdown for the one that answers. A text can make any parser slow or greedy, so each request
// has a time limit and each process a memory limit; whatever exceeds one ends with its process, and the next request
// gets a new one. States of a process: none → idle ⇄ busy → none (after idleMs, over a limit, or when the text was large).
// Requests wait in line, a bounded one: a stream of hostile texts delays other texts, and nothing else.
// Processes and not threads, because V8 ends the whole process when one array of a thread outgrows the thread's limit,
// and flags of the process replace the limit (nodejs/node#65019, #47224, #43991).
import { fork, type ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import { join } from "node:path";

/** From the app's root, which is the working directory of every process of the app. */
const CHILD = "vectors/markdown.child.mjs";

export type MarkdownProblem = "too_complex" | "busy" | "broken";

export class MarkdownError extends Error {
  override readonly name = "MarkdownError";
  constructor(
    /** too_complex: the text needs more time or memory than a text may have. busy: too many texts wait. */
    readonly problem: MarkdownProblem,
    message: string,
    cause?: unknown,
  ) {
    super(message, { cause });
  }
}

/** Where a text can be cut, and the headings' words in order. */
export interface MarkdownCuts {
  /** Line endings as "\n", no byte order mark, no trailing blanks: so that equal documents are equal bytes. */
  text: string;
  /** Five numbers a block: kind, heading level, where it begins and ends, 1 if a blank line is before it. */
  cuts: Int32Array;
  titles: string[];
}

export interface MarkdownProcessesOptions {
  /** A text has this long, from when a process begins with it; 500 KB of the worst known text take about 2 s. */
  limitMs?: number;
  processes?: number;
  /** Of each process's old generation; what V8 itself needs comes on top. */
  memoryMaxMb?: number;
  /** Requests that may wait. */
  waitingMax?: number;
  idleMs?: number;
  /** For tests: another program in the child's place. */
  child?: string;
}

type Question = { blocks: string } | { words: readonly string[] };
type Answer = { id: number } & (MarkdownCuts | { words: string[] } | { error: string });

interface Request {
  question: Question;
  resolve(answer: Answer): void;
  reject(error: MarkdownError): void;
}

interface Lane {
  child: ChildProcess | undefined;
  current: Request | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** As in markdown-serve.mjs. */
const OVER_TIME_STATUS = 124;
/** By itself a process ends a text only when this one does not: when it is gone, or held for so long. */
const OWN_LIMIT_FACTOR = 2;
/** V8 ends a process that reaches its limit by one of these, by version and processor. */
const V8_SIGNALS: ReadonlySet<NodeJS.Signals> = new Set(["SIGABRT", "SIGTRAP", "SIGILL"]);
/** Of what a process writes about its end: a log line's length, however often a text ends one. */
const SAID_MAX_CHARS = 1000;
/** A process has this long to load the parser, on a machine that is busy with other things. */
const START_LIMIT_MS = 30_000;
/** After a text of so many characters the process is not kept: its memory goes back at once. */
const LARGE_CHARS = 100_000;

export class MarkdownProcesses {
  private readonly lanes: Lane[];
  private readonly waiting: Request[] = [];
  private readonly options: Required<MarkdownProcessesOptions>;
  private requests = 0;

  constructor(options: MarkdownProcessesOptions = {}) {
    this.options = {
      limitMs: 10_000,
      processes: 2,
      memoryMaxMb: 192,
      waitingMax: 100,
      idleMs: 10_000,
      child: join(process.cwd(), CHILD),
      ...options,
    };
    this.lanes = Array.from({ length: this.options.processes }, () => ({
      child: undefined,
      current: undefined,
      timer: undefined,
    }));
  }

  /** Processes there are just now. */
  get running(): number {
    return this.lanes.filter(({ child }) => child !== undefined).length;
  }

  /** Where a text can be cut. @throws MarkdownError */
  async cuts(text: string): Promise<MarkdownCuts> {
    const answer = await this.ask({ blocks: text });
    if ("cuts" in answer) return answer;
    throw new MarkdownError("broken", "the process that reads Markdown answered something else");
  }

  /** The words of each text, in the texts' order. @throws MarkdownError */
  async words(texts: readonly string[]): Promise<string[]> {
    if (texts.length === 0) return [];
    const answer = await this.ask({ words: texts });
    if ("words" in answer) return answer.words;
    throw new MarkdownError("broken", "the process that reads Markdown answered something else");
  }

  private ask(question: Question): Promise<Answer> {
    if (this.waiting.length >= this.options.waitingMax)
      return Promise.reject(new MarkdownError("busy", `${this.waiting.length} texts wait to be read`));
    return new Promise((resolve, reject) => {
      this.waiting.push({ question, resolve, reject });
      this.assign();
    });
  }

  private assign(): void {
    const free = this.lanes.filter(({ current }) => current === undefined);
    const lane = free.find(({ child }) => child !== undefined) ?? free[0];
    const request = lane && this.waiting.shift();
    if (lane === undefined || request === undefined) return;
    lane.current = request;
    clearTimeout(lane.timer);
    if (lane.child !== undefined) this.limitTime(lane);
    const child = lane.child ?? this.start(lane);
    child?.channel?.ref();
    // One that cannot be reached has ended, or is ended by its limit.
    child?.send({ id: ++this.requests, ...request.question }, () => undefined);
  }

  private limitTime(lane: Lane): void {
    clearTimeout(lane.timer);
    lane.timer = setTimeout(() => this.end(lane, new MarkdownError("too_complex", OVER_TIME)), this.options.limitMs);
  }

  private start(lane: Lane): ChildProcess | undefined {
    lane.timer = setTimeout(() => this.end(lane, new MarkdownError("broken", NOT_STARTED)), START_LIMIT_MS);
    try {
      return (lane.child = this.fork(lane));
    } catch (error) {
      this.end(lane, new MarkdownError("broken", NOT_STARTED, error));
      return undefined;
    }
  }

  private fork(lane: Lane): ChildProcess {
    // No environment: the child needs none of our credentials, and NODE_OPTIONS would replace its limits.
    const child = fork(this.options.child, [String(OWN_LIMIT_FACTOR * this.options.limitMs)], {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      execArgv: [`--max-old-space-size=${this.options.memoryMaxMb}`, "--max-semi-space-size=8"],
      env: {},
    });
    let said = "";
    child.stderr?.setEncoding("utf8").on("data", (part: string) => (said = `${said}${part}`.slice(0, SAID_MAX_CHARS)));
    const failed = (error: MarkdownError): void => {
      if (lane.child === child) this.end(lane, error);
    };
    child.on("message", (message: Answer | "ready") => {
      if (lane.child !== child) return;
      if (message === "ready") this.limitTime(lane);
      else this.settle(lane, message);
    });
    child.on("error", (error) => failed(new MarkdownError("broken", BROKEN, error)));
    child.on("close", (status, signal) => failed(endedBy(status, signal, said)));
    child.unref();
    (child.stderr as Socket | null)?.unref();
    return child;
  }

  private settle(lane: Lane, answer: Answer): void {
    const request = lane.current;
    lane.current = undefined;
    clearTimeout(lane.timer);
    if (request !== undefined && "blocks" in request.question && request.question.blocks.length > LARGE_CHARS)
      this.end(lane);
    else {
      // One without work does not keep this process from ending, and leaves after a while.
      lane.child?.channel?.unref();
      lane.timer = setTimeout(() => this.end(lane), this.options.idleMs).unref();
    }
    if ("error" in answer) request?.reject(new MarkdownError("broken", BROKEN, answer.error));
    else request?.resolve(answer);
    this.assign();
  }

  /** Ends a lane's process, at once, also in the middle of a loop; `error` is for the request that it had. */
  private end(lane: Lane, error?: MarkdownError): void {
    const { child, current } = lane;
    clearTimeout(lane.timer);
    lane.child = undefined;
    lane.current = undefined;
    child?.kill("SIGKILL");
    if (error !== undefined) current?.reject(error);
    this.assign();
  }
}

/** Of a process that ended by itself. */
function endedBy(status: number | null, signal: NodeJS.Signals | null, said: string): MarkdownError {
  const cause = new Error(`ended by ${signal ?? `status ${status}`}: ${said}`);
  if (signal !== null && V8_SIGNALS.has(signal)) return new MarkdownError("too_complex", OVER_MEMORY, cause);
  if (status === OVER_TIME_STATUS) return new MarkdownError("too_complex", OVER_TIME, cause);
  return new MarkdownError("broken", BROKEN, cause);
}

const OVER_TIME = "the text takes too long to read: its markup is nested too deeply or too irregular";
const OVER_MEMORY = "the text needs too much memory to be read: it has too many small parts";
const NOT_STARTED = "the process that reads Markdown did not start";
const BROKEN = "the process that reads Markdown ended";

let processes: MarkdownProcesses | undefined;

/** This process's own; none runs before the first text. */
export function markdownProcesses(): MarkdownProcesses {
  return (processes ??= new MarkdownProcesses());
}
