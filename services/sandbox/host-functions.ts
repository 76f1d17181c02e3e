// What users' code may call outside of the sandbox, as `host.NAME(…)`: only what its run was given, so many times, with JSON in and out.
// Who calls may have come out of the engine, so all of this is checked here, whatever the process has checked.
import { isBounded } from "../../security/bounded-json";
import { CALL_MAX_CHARS, CALLS_MAX, DEPTH_MAX, NODES_MAX } from "./limits";

/** @param signal ends with the run. The message of a HostCallError is for the code; anything else thrown is not told. */
export type HostFunction = (values: readonly unknown[], signal: AbortSignal) => Promise<unknown>;
export type HostFunctions = Readonly<Record<string, HostFunction>>;

export class HostCallError extends Error {
  override readonly name = "HostCallError";
}

export interface Call {
  id: number;
  name: string;
  /** JSON of an array. */
  values: string;
}

export interface Answer {
  id: number;
  isFine: boolean;
  /** JSON when it is fine (absent for undefined), else what went wrong. */
  text?: string | undefined;
}

/** The calls of one run. */
export class HostCalls {
  private readonly ended = new AbortController();
  private count = 0;

  constructor(
    private readonly functions: HostFunctions,
    private readonly answer: (answer: Answer) => void,
  ) {}

  get names(): string[] {
    return Object.keys(this.functions);
  }

  /** False for a call that no process of ours sends: whoever sent it is to be ended. */
  take(call: Call): boolean {
    const called = Object.hasOwn(this.functions, call.name) ? this.functions[call.name] : undefined;
    if (called === undefined || ++this.count > CALLS_MAX) return false;
    void this.settle(call, called);
    return true;
  }

  /** What is under way is called off, and answered to nobody: the process may be at another run. */
  end(): void {
    this.ended.abort();
  }

  private async settle({ id, values }: Call, called: HostFunction): Promise<void> {
    const answer = await answerOf(values, called, this.ended.signal);
    if (!this.ended.signal.aborted) this.answer({ id, ...answer });
  }
}

async function answerOf(values: string, called: HostFunction, signal: AbortSignal): Promise<Omit<Answer, "id">> {
  try {
    const given: unknown = JSON.parse(values);
    if (!Array.isArray(given) || !isBounded(given, DEPTH_MAX, NODES_MAX))
      return { isFine: false, text: "the values have too many levels" };
    const text = JSON.stringify(await called(given, signal)) as string | undefined;
    if (text !== undefined && text.length > CALL_MAX_CHARS) return { isFine: false, text: "the answer is too large" };
    return { isFine: true, text };
  } catch (error) {
    return { isFine: false, text: error instanceof HostCallError ? error.message : "the call failed" };
  }
}
