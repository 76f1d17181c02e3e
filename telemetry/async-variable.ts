// Values that follow work across awaits, as the AsyncContext.Variable that TC39 discusses. One AsyncLocalStorage holds them
// all: on Node 20 every storage that was ever used costs every promise of the process, whoever makes it.
import { AsyncLocalStorage } from "node:async_hooks";

/** By the variables' places; made anew for each `run`, so that what has begun keeps what it began with. */
type Values = readonly unknown[];

const storage = new AsyncLocalStorage<Values>();
let places = 0;

/** To be made once, where a module is loaded: its place is never given back. */
export class AsyncVariable<T> {
  private readonly place = places++;

  /** What the innermost `run` around the calling work gave it. */
  get(): T | undefined {
    return storage.getStore()?.[this.place] as T | undefined;
  }

  /** Runs `fn`, and all that it sets going, with this value. */
  run<R>(value: T, fn: () => R): R {
    const values = [...(storage.getStore() ?? [])];
    values[this.place] = value;
    return storage.run(values, fn);
  }
}
