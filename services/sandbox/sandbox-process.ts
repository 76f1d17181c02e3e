// One process that runs users' code, from the side of the one that answers. States: starting → idle ⇄ busy → ended. Whatever it writes
// may be the code's own making, so its lines have a bound, and a word out of turn ends it.
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import type { Socket } from "node:net";
import { join } from "node:path";
import { HostCalls, type HostFunctions } from "./host-functions";
import { CALL_MAX_CHARS, CALLS_MAX, LINE_MAX_CHARS, LINES_MAX, OUTPUT_MAX_BYTES, STACK_MAX_CHARS } from "./limits";
import { outcomeOf, parseTold, type CodeError, type LogLine, type Outcome, type Told } from "./outcome";
import { assertWalls, commandOf, limitProcess, wallsHere, type Walls } from "./walls";

export interface Job {
  code: string;
  /** JSON. */
  input?: string | undefined;
  timeoutMs: number;
  memoryMb: number;
  /** Source texts by the name that `import` asks for. */
  modules?: Readonly<Record<string, string>> | undefined;
  functions?: HostFunctions | undefined;
  /** The same random numbers for the same one. */
  seed?: number | undefined;
  /** What the code's clock shows, in milliseconds since 1970. */
  nowMs?: number | undefined;
}

export interface StartOptions {
  walls?: Walls;
  /** For tests: another program in the child's place. */
  file?: string;
  /** After so many runs it is replaced. */
  runsMax?: number;
}

/** From the app's root, which is the working directory of every process of the app. */
const CHILD = "services/sandbox/engine/sandbox.child.mjs";

const START_LIMIT_MS = 20_000;
/** An idle process that says nothing for so long is stuck. */
const PONG_LIMIT_MS = 2_000;
/** The engine ends a run at its deadline; when it does not, its process is ended so long after. */
export const GRACE_MS = 25;
/** And so long after by a thread of its own, when this process is held, or gone. */
const OWN_GRACE_MS = 40;
/** An output as text within JSON takes twice its bytes at most. */
const UNREAD_MAX_CHARS = 2 * OUTPUT_MAX_BYTES + 16_384;
/** Then it is replaced: well below the processor time that it may have in its life (walls.ts). */
export const RUNS_MAX = 1_000;
const RAN_MAX_MS = 20_000;

const OVER_TIME: CodeError = {
  reason: "timeout",
  name: "TimeoutError",
  message: "the code took longer than it may",
};
const CRASHED: CodeError = { reason: "crashed", name: "EngineError", message: "the code exhausted the engine" };

export class SandboxProcess {
  private readonly child: ChildProcessWithoutNullStreams;
  private unread = "";
  private onTold: ((told: Told) => void) | undefined;
  private onEnd: (() => void) | undefined;
  private hasEnded = false;
  private runs = 0;
  private ranMs = 0;

  private constructor(
    file: string,
    private readonly runsMax: number,
  ) {
    this.child = spawn(process.execPath, commandOf(file, process.cwd()), { env: {}, stdio: ["pipe", "pipe", "pipe"] });
    this.child.on("error", () => this.end());
    this.child.on("exit", () => this.end());
    this.child.stdin.on("error", () => this.end());
    // What it says of its end is nobody's: it may quote the code.
    this.child.stderr.resume();
    this.child.stdout.setEncoding("utf8").on("data", (part: string) => this.read(part));
  }

  /** One that is ready, behind its walls. @throws APIError sandbox_walls_missing; Error when it does not start */
  static async start({ walls = wallsHere(), file, runsMax = RUNS_MAX }: StartOptions = {}): Promise<SandboxProcess> {
    assertWalls(walls);
    const started = new SandboxProcess(file ?? join(process.cwd(), CHILD), runsMax);
    try {
      if (!(await started.hears("isReady", START_LIMIT_MS)) || started.child.pid === undefined)
        throw new Error("a process for users' code did not start");
      await limitProcess(started.child.pid, walls);
      return started;
    } catch (error) {
      started.end();
      throw error;
    }
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Whether it may have another run. */
  get isUsable(): boolean {
    return !this.hasEnded && this.runs < this.runsMax && this.ranMs < RAN_MAX_MS;
  }

  /** Its heartbeat, asked for while it is idle: false for one that is stuck. */
  isAnswering(): Promise<boolean> {
    this.send({ ping: 1 });
    return this.hears("pong", PONG_LIMIT_MS);
  }

  /** An idle process does not keep this one from ending; it ends with it. */
  rest(): void {
    for (const handle of this.handles()) handle.unref();
  }

  /** The end of `rest`. */
  wake(): void {
    for (const handle of this.handles()) handle.ref();
  }

  /** Runs one job, after the one before. Never rejects: what ends the process is the code's. */
  run({ functions = {}, modules = {}, ...job }: Job): Promise<Outcome> {
    const beganAtMs = performance.now();
    const took = (): number => performance.now() - beganAtMs;
    const logs: LogLine[] = [];
    const calls = new HostCalls(functions, (answer) => this.send({ answer }));
    return new Promise((resolve) => {
      const settle = (outcome: Outcome): void => {
        clearTimeout(timer);
        calls.end();
        this.onTold = this.onEnd = undefined;
        this.runs++;
        this.ranMs += took();
        resolve(outcome);
      };
      const stop = (error: CodeError): void => {
        settle(outcomeOf({ error, durationMs: took() }, logs));
        this.end();
      };
      const timer = setTimeout(() => stop(OVER_TIME), job.timeoutMs + GRACE_MS);
      this.onEnd = () => stop(took() < job.timeoutMs ? CRASHED : OVER_TIME);
      this.onTold = (told) => {
        if ("log" in told && logs.length <= LINES_MAX) logs.push(told.log);
        else if ("ended" in told && told.ended.isSpent === true) stop(told.ended.error ?? CRASHED);
        else if ("ended" in told) settle(outcomeOf(told.ended, logs));
        else if (!("call" in told && calls.take(told.call))) this.end();
      };
      if (this.hasEnded) this.onEnd();
      else this.send({ job: { ...job, modules, functions: calls.names, ...BOUNDS } });
    });
  }

  /** At once, also in the middle of a loop. */
  end(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.child.kill("SIGKILL");
    this.onEnd?.();
  }

  private handles(): (ChildProcessWithoutNullStreams | Socket)[] {
    const { child } = this;
    return [child, ...[child.stdin, child.stdout, child.stderr].map((pipe) => pipe as unknown as Socket)];
  }

  private send(message: unknown): void {
    if (!this.hasEnded) this.child.stdin.write(`${JSON.stringify(message)}\n`);
  }

  /** Whether it says this next, in time. */
  private hears(word: "isReady" | "pong", limitMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (isHeard: boolean): void => {
        clearTimeout(timer);
        this.onTold = this.onEnd = undefined;
        resolve(isHeard);
      };
      const timer = setTimeout(() => settle(false), limitMs);
      this.onTold = (told) => settle(word in told);
      this.onEnd = () => settle(false);
      if (this.hasEnded) settle(false);
    });
  }

  private read(part: string): void {
    if (this.hasEnded) return;
    const lines = (this.unread + part).split("\n");
    this.unread = lines.pop() ?? "";
    for (const line of lines) this.hear(line);
    if (this.unread.length > UNREAD_MAX_CHARS) this.end();
  }

  private hear(line: string): void {
    if (this.hasEnded) return;
    try {
      if (line.length > UNREAD_MAX_CHARS || this.onTold === undefined) this.end();
      else this.onTold(parseTold(line));
    } catch {
      // No process of ours says that.
      this.end();
    }
  }
}

const BOUNDS = {
  lineMaxChars: LINE_MAX_CHARS,
  linesMax: LINES_MAX,
  stackMaxChars: STACK_MAX_CHARS,
  callsMax: CALLS_MAX,
  callMaxChars: CALL_MAX_CHARS,
  outputMaxBytes: OUTPUT_MAX_BYTES,
  graceMs: OWN_GRACE_MS,
};
