// A cache in this process, for when there is no Redis: the same commands with the same answers.
import { refused, StoreError, type Command, type Refusal, type Reply, type Store } from "../store";
import type { Commands } from "./arguments";
import { Keyspace } from "./keyspace";
import { listCommands } from "./lists";
import { setCommands } from "./sets";
import { stringCommands } from "./strings";

const commands: Commands = { ...stringCommands, ...listCommands, ...setCommands };

const KEYS_MAX = 100_000;
const SWEEP_EVERY_MS = 60_000;

/** Answers wait for the loop's next turn after so much work: whoever asks time and again would never let go of it. */
const TURN_MS = 5;
/** What else is large, and takes its caller long to make and to read. */
const LARGE = 100_000;
const LARGE_LIST = 10_000;
/** The loop's own, also where a test has a clock of its own. */
const nextTurn = setImmediate;

export class MemoryStore implements Store {
  readonly #keys: Keyspace;
  #sweeping: NodeJS.Timeout | undefined;
  #workedMs = 0;

  constructor(now: () => number = Date.now, keysMax: number = KEYS_MAX) {
    this.#keys = new Keyspace(now, keysMax);
  }

  run(given: readonly Command[]): Promise<Reply[]> {
    this.#sweeping ??= setInterval(() => this.#sweep(), SWEEP_EVERY_MS).unref();
    const startedAtMs = performance.now();
    try {
      const only = given[0];
      const replies = only && given.length === 1 ? [this.#one(only)] : this.#transaction(given);
      return this.#isTurnOver(startedAtMs, given, replies)
        ? new Promise((resolve) => nextTurn(resolve, replies))
        : Promise.resolve(replies);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #isTurnOver(startedAtMs: number, given: readonly Command[], replies: readonly Reply[]): boolean {
    this.#workedMs += performance.now() - startedAtMs;
    if (this.#workedMs < TURN_MS && !given.some(isLarge) && !replies.some(isLarge)) return false;
    this.#workedMs = 0;
    return true;
  }

  /** As MULTI: nothing is run when a command cannot be queued, and one that fails does not keep the others from running. */
  #transaction(given: readonly Command[]): Reply[] {
    const early = given.flatMap((command, index) => this.#attempt(index, () => void this.#commandOf(command)).refusals);
    if (early.length > 0) throw new StoreError(early, true);
    const done = given.map((command, index) => this.#attempt(index, () => this.#one(command)));
    const refusals = done.flatMap((each) => each.refusals);
    if (refusals.length > 0) throw new StoreError(refusals);
    return done.map((each) => each.reply ?? null);
  }

  #attempt(index: number, run: () => Reply | undefined): { reply?: Reply | undefined; refusals: Refusal[] } {
    try {
      return { reply: run(), refusals: [] };
    } catch (error) {
      if (error instanceof StoreError) return { refusals: error.refusals.map(({ message }) => ({ index, message })) };
      throw error;
    }
  }

  close(): Promise<void> {
    clearInterval(this.#sweeping);
    return Promise.resolve();
  }

  /** Sweeping stops when nothing is left, so that an unused cache costs nothing. */
  #sweep(): void {
    this.#keys.sweep();
    if (this.#keys.size > 0) return;
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
  }

  #commandOf([name, ...args]: Command): Commands[string] {
    const command = commands[name];
    if (!command) throw refused(`unknown command '${name}'`);
    if (args.length < command.args) throw refused(`wrong number of arguments for '${name.toLowerCase()}' command`);
    command.check?.(args);
    return command;
  }

  #one(command: Command): Reply {
    return this.#commandOf(command).run(this.#keys, command.slice(1));
  }
}

function isLarge(value: Command | Reply): boolean {
  if (Buffer.isBuffer(value)) return value.length > LARGE;
  return (
    Array.isArray(value) &&
    (value.length > LARGE_LIST || value.some((part) => Buffer.isBuffer(part) && part.length > LARGE))
  );
}
