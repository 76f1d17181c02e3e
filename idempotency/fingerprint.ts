// Whether two requests are the same: SHA-256 over method, path and everything that the endpoint reads of the request,
// fields in the order of their names. Nothing of how the code names the endpoint: the next version may name it otherwise, and a
// repeat is the same. A part at a time, so that a large request does not hold the process.
import { createHash } from "node:crypto";

const PARTS_PER_TURN = 5_000;
/** Sorted in one go. */
const NAMES_PER_TURN = 4_000;
/** A part of no text, behind which others may have their turn. */
const PAUSE = "";

/** @param read what the endpoint was given: fields of path, query, headers and body, decoded */
export async function fingerprintOf(method: string, path: string, read: unknown): Promise<Buffer> {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([method, path]));
  let parts = 0;
  for (const part of partsOf(read)) {
    hash.update(part);
    if (part === PAUSE || ++parts % PARTS_PER_TURN === 0) await new Promise(setImmediate);
  }
  return hash.digest();
}

/** Like JSON with its names in order; each kind of value is written as no other is. */
function* partsOf(value: unknown): Generator<string> {
  if (Array.isArray(value)) {
    yield "[";
    for (const item of value) {
      yield* partsOf(item);
      yield ",";
    }
    yield "]";
  } else if (typeof value === "object" && value !== null && isPlain(value)) {
    yield "{";
    for (const name of yield* sorted(Object.keys(value))) {
      const field = value[name];
      if (field === undefined) continue;
      yield `${JSON.stringify(name)}:`;
      yield* partsOf(field);
      yield ",";
    }
    yield "}";
  } else yield leafOf(value);
}

/** The names in order. Of many a few thousand are sorted at a time, and then merged, with pauses. */
function* sorted(names: string[]): Generator<string, string[]> {
  if (names.length <= NAMES_PER_TURN) return names.sort();
  const middle = names.length >> 1;
  const left = yield* sorted(names.slice(0, middle));
  const right = yield* sorted(names.slice(middle));
  yield PAUSE;
  const all: string[] = [];
  for (let at = 0, rightAt = 0; at < left.length || rightAt < right.length;) {
    const [one, other] = [left[at], right[rightAt]];
    const isLeft = other === undefined || (one !== undefined && one < other);
    all.push((isLeft ? one : other) ?? "");
    if (isLeft) at++;
    else rightAt++;
    if (all.length % NAMES_PER_TURN === 0) yield PAUSE;
  }
  return all;
}

const isPlain = (value: object): value is Record<string, unknown> => {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

/** Dates, decimals and the like know how to write themselves. */
function leafOf(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof Date) return `date ${value.getTime()}`;
  return `${typeof value} ${String(value)}`;
}
