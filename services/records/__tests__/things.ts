// Records as these tests make and ask for them.
import { records } from "~encore/clients";
import { reasonOf } from "../../../security/errors";
import { renderPrometheus } from "../../../telemetry/metrics";
import type { Caller } from "../../../testing";

export type Product = Awaited<ReturnType<typeof records.getProduct>>;
export type Category = Awaited<ReturnType<typeof records.getCategory>>;

/** As it is read from then on. */
export function asRead<Made extends { location: string }>({ location, ...made }: Made): Omit<Made, "location"> {
  if (!location.startsWith("/api/v1/")) throw new Error(`a record is at ${location}`);
  return made;
}

let made = 0;

export const product = async (
  by: Caller,
  fields: Partial<Parameters<typeof records.createProduct>[0]> = {},
): Promise<Product> =>
  asRead(
    await records.createProduct({ sku: `sku-${++made}`, name: "Tea", priceMinor: 450, currency: "EUR", ...fields }, by),
  );

export const category = async (by: Caller, name: string, parentId?: string): Promise<Category> =>
  asRead(await records.createCategory({ name, ...(parentId === undefined ? {} : { parentId }) }, by));

/** The reason of a refusal; undefined where there was none. */
export const reason = (promise: Promise<unknown>): Promise<string | undefined> =>
  promise.then(() => undefined, reasonOf);

/** What a refusal tells. */
export const refusal = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => (error as { details?: unknown }).details,
  );

export interface Random {
  integer: (min: number, max: number) => number;
  chance: (probability: number) => boolean;
  pick: <T>(values: readonly T[]) => T;
}

/** The same numbers for the same seed (mulberry32). */
export function createRandom(seed: number): Random {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const integer = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1));
  return {
    integer,
    chance: (probability) => next() < probability,
    pick: (values) => values[integer(0, values.length - 1)]!,
  };
}

/**
 * How many transactions of this process the server ended because they waited for each other in a circle, whether or not they were run
 * again. What the server itself counts it tells some time later.
 */
export async function deadlocksSeen(): Promise<number> {
  const count = /^db_transaction_conflicts_total\{kind="deadlock"\} (\d+)/m.exec(await renderPrometheus())?.[1];
  return Number(count ?? 0);
}
