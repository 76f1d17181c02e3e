// What the log is given, read back.

const KEY = Symbol.for("groundwork.keepLine");

export interface KeptLines {
  lines: string[];
  stop(): void;
}

/** Call it hoisted, before a logger is made. A runtime that is loaded later puts nothing of its own in this place. */
export function keepLines(): KeptLines {
  const lines: string[] = [];
  const keep = (line: string): void => void lines.push(line);
  Object.defineProperty(globalThis, KEY, { get: () => keep, set: () => undefined, configurable: true });
  return { lines, stop: () => void Reflect.deleteProperty(globalThis, KEY) };
}
