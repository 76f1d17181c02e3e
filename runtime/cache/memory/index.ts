// A cache in this process, for when there is no Redis: the same commands with the same answers.
import { StoreError, type Command, type Reply, type Store } from "../store";
import type { Commands } from "./arguments";
import { Keyspace } from "./keyspace";
import { listCommands } from "./lists";
import { setCommands } from "./sets";
import { stringCommands } from "./strings";

const commands: Commands = { ...stringCommands, ...listCommands, ...setCommands };

const KEYS_MAX = 100_000;
const SWEEP_EVERY_MS = 60_000;

export class MemoryStore implements Store {
  readonly #keys: Keyspace;
  #sweeping: NodeJS.Timeout | undefined;

  constructor(now: () => number = Date.now, keysMax: number = KEYS_MAX) {
    this.#keys = new Keyspace(now, keysMax);
  }

  run(given: readonly Command[]): Promise<Reply[]> {
    this.#sweeping ??= setInterval(() => this.#sweep(), SWEEP_EVERY_MS).unref();
    try {
      return Promise.resolve(given.map((command, index) => this.#one(command, index)));
    } catch (error) {
      return Promise.reject(error);
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

  #one([name, ...args]: Command, index: number): Reply {
    const command = commands[name];
    if (!command) throw new StoreError(`unknown command '${name}'`, index);
    if (args.length < command.args) throw new StoreError(`wrong number of arguments for '${name.toLowerCase()}' command`, index);
    try {
      return command.run(this.#keys, args);
    } catch (error) {
      throw error instanceof StoreError ? new StoreError(error.message, index) : error;
    }
  }
}
