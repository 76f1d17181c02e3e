// Whether two requests are the same: SHA-256 over method, path and everything that the endpoint reads of the request,
// fields in the order of their names. A part at a time, so that a large request does not hold the process.
import { createHash } from "node:crypto";

const PARTS_PER_TURN = 5_000;

/** @param read what the endpoint was given: fields of path, query, headers and body, decoded */
export async function fingerprintOf(endpoint: string, method: string, path: string, read: unknown): Promise<Buffer> {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([endpoint, method, path]));
  let parts = 0;
  for (const part of partsOf(read)) {
    hash.update(part);
    if (++parts % PARTS_PER_TURN === 0) await new Promise(setImmediate);
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
    for (const name of Object.keys(value).sort()) {
      const field = value[name];
      if (field === undefined) continue;
      yield `${JSON.stringify(name)}:`;
      yield* partsOf(field);
      yield ",";
    }
    yield "}";
  } else yield leafOf(value);
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
