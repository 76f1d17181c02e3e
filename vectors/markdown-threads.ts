// The threads that read Markdown for the thread that answers. A text can make any parser slow, so each request has a
// time limit and each thread a memory limit; whatever exceeds one ends with its thread, and the next request gets a new
// one. States of a thread: none → idle ⇄ busy → none (after idleMs, over a limit, or when the text was large).
// Requests wait in line, a bounded one: a stream of hostile texts delays other texts, and nothing else.
import { join } from "node:path";
import { Worker } from "node:worker_threads";

/** From the app's root, which is the working directory of every process of the app. */
const WORKER = "vectors/markdown.worker.mjs";

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

export interface MarkdownThreadsOptions {
  /** A text has this long, from when a thread begins with it; 500 KB of the worst known text take about 2 s. */
  limitMs?: number;
  threads?: number;
  /** Requests that may wait. */
  waitingMax?: number;
  idleMs?: number;
  /** For tests: another program in the worker's place. */
  worker?: string;
}

type Question = { blocks: string } | { words: readonly string[] };
type Answer = { id: number } & (MarkdownCuts | { words: string[] } | { error: string });

interface Request {
  question: Question;
  resolve(answer: Answer): void;
  reject(error: MarkdownError): void;
}

interface Lane {
  worker: Worker | undefined;
  current: Request | undefined;
  timer: NodeJS.Timeout | undefined;
}

const MEMORY_MAX_MB = 192;
/** A thread has this long to load the parser, on a machine that is busy with other things. */
const START_LIMIT_MS = 30_000;
/** After a text of so many characters the thread is not kept: its memory goes back at once. */
const LARGE_CHARS = 100_000;

export class MarkdownThreads {
  private readonly lanes: Lane[];
  private readonly waiting: Request[] = [];
  private readonly options: Required<MarkdownThreadsOptions>;
  private requests = 0;

  constructor(options: MarkdownThreadsOptions = {}) {
    this.options = {
      limitMs: 10_000,
      threads: 2,
      waitingMax: 100,
      idleMs: 10_000,
      worker: join(process.cwd(), WORKER),
      ...options,
    };
    this.lanes = Array.from({ length: this.options.threads }, () => ({
      worker: undefined,
      current: undefined,
      timer: undefined,
    }));
  }

  /** Threads there are just now. */
  get running(): number {
    return this.lanes.filter(({ worker }) => worker !== undefined).length;
  }

  /** Where a text can be cut. @throws MarkdownError */
  async cuts(text: string): Promise<MarkdownCuts> {
    const answer = await this.ask({ blocks: text });
    if ("cuts" in answer) return answer;
    throw new MarkdownError("broken", "the thread that reads Markdown answered something else");
  }

  /** The words of each text, in the texts' order. @throws MarkdownError */
  async words(texts: readonly string[]): Promise<string[]> {
    if (texts.length === 0) return [];
    const answer = await this.ask({ words: texts });
    if ("words" in answer) return answer.words;
    throw new MarkdownError("broken", "the thread that reads Markdown answered something else");
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
    const lane = free.find(({ worker }) => worker !== undefined) ?? free[0];
    const request = lane && this.waiting.shift();
    if (lane === undefined || request === undefined) return;
    lane.current = request;
    clearTimeout(lane.timer);
    if (lane.worker === undefined) {
      lane.worker = this.start(lane);
      lane.timer = setTimeout(() => this.end(lane, new MarkdownError("broken", NOT_STARTED)), START_LIMIT_MS);
    } else this.limitTime(lane);
    lane.worker.ref();
    lane.worker.postMessage({ id: ++this.requests, ...request.question });
  }

  private limitTime(lane: Lane): void {
    clearTimeout(lane.timer);
    lane.timer = setTimeout(() => this.end(lane, new MarkdownError("too_complex", OVER_TIME)), this.options.limitMs);
  }

  private start(lane: Lane): Worker {
    const worker = new Worker(this.options.worker, {
      resourceLimits: { maxOldGenerationSizeMb: MEMORY_MAX_MB, maxYoungGenerationSizeMb: 16 },
      env: {},
      execArgv: [],
    });
    worker.on("message", (message: Answer | "ready") => {
      if (lane.worker !== worker) return;
      if (message === "ready") this.limitTime(lane);
      else this.settle(lane, message);
    });
    worker.on("error", (error: Error & { code?: string }) => {
      const isMemory = error.code === "ERR_WORKER_OUT_OF_MEMORY";
      if (lane.worker === worker)
        this.end(lane, new MarkdownError(isMemory ? "too_complex" : "broken", isMemory ? OVER_MEMORY : BROKEN, error));
    });
    worker.on("exit", () => {
      if (lane.worker === worker) this.end(lane, new MarkdownError("broken", BROKEN));
    });
    return worker;
  }

  private settle(lane: Lane, answer: Answer): void {
    const request = lane.current;
    lane.current = undefined;
    clearTimeout(lane.timer);
    if (request !== undefined && "blocks" in request.question && request.question.blocks.length > LARGE_CHARS)
      this.end(lane);
    else {
      // A thread without work keeps no process alive, and leaves after a while.
      lane.worker?.unref();
      lane.timer = setTimeout(() => this.end(lane), this.options.idleMs).unref();
    }
    if ("error" in answer) request?.reject(new MarkdownError("broken", BROKEN, answer.error));
    else request?.resolve(answer);
    this.assign();
  }

  /** Ends a lane's thread, at once, also in the middle of a loop; `error` is for the request that it had. */
  private end(lane: Lane, error?: MarkdownError): void {
    const { worker, current } = lane;
    clearTimeout(lane.timer);
    lane.worker = undefined;
    lane.current = undefined;
    void worker?.terminate();
    if (error !== undefined) current?.reject(error);
    this.assign();
  }
}

const OVER_TIME = "the text takes too long to read: its markup is nested too deeply or too irregular";
const OVER_MEMORY = "the text needs too much memory to be read: it has too many small parts";
const NOT_STARTED = "the thread that reads Markdown did not start";
const BROKEN = "the thread that reads Markdown ended";

let threads: MarkdownThreads | undefined;

/** The process's threads; none runs before the first text. */
export function markdownThreads(): MarkdownThreads {
  return (threads ??= new MarkdownThreads());
}
