// Reading the arguments of a command, with Redis' own words when they do not fit.
import { refused, type Argument, type Reply } from "../store";
import type { Keyspace } from "./keyspace";

export type Run = (keys: Keyspace, args: Argument[]) => Reply;

/** A command, the number of arguments it needs at least, what is looked at before a transaction begins, and what it does. */
export type Commands = Record<string, { args: number; check?: (args: Argument[]) => void; run: Run }>;

export const textOf = (args: Argument[], index: number): string => String(args[index] ?? "");

/** A copy: the caller may go on writing into its own. */
export const bytesOf = (args: Argument[], index: number): Buffer => Buffer.from(args[index] ?? "");

export function integerOf(args: Argument[], index: number): number {
  const text = textOf(args, index);
  if (!/^-?\d+$/.test(text)) throw refused("value is not an integer or out of range");
  return Number(text);
}

/** Where a Redis range begins and ends in something of this length; negative positions count from the end. */
export function rangeOf(length: number, start: number, stop: number): [from: number, to: number] {
  const from = Math.max(start < 0 ? length + start : start, 0);
  const to = Math.min(stop < 0 ? length + stop : stop, length - 1);
  return from > to ? [0, 0] : [from, to + 1];
}
