// The native TTL argument: milliseconds, or -1 for "keep", -2 for "no expiry", nothing for "not said".
import { integer64 } from "./integers";
import type { Command } from "./store";

const KEEP = -1;
const PERSIST = -2;

type Ttl = number | null | undefined;

const isDuration = (ttlMs: Ttl): ttlMs is number => ttlMs !== null && ttlMs !== undefined && !(ttlMs <= -1);

/** Options of SET, which by itself takes a time to live off. */
export function setOptions(ttlMs: Ttl): string[] {
  if (ttlMs === KEEP) return ["KEEPTTL"];
  return isDuration(ttlMs) ? ["PX", integer64(ttlMs)] : [];
}

/** What follows a command that leaves the time to live as it is. */
export function afterMutation(key: string, ttlMs: Ttl): Command[] {
  if (ttlMs === PERSIST) return [["PERSIST", key]];
  return isDuration(ttlMs) ? [["PEXPIRE", key, integer64(ttlMs)]] : [];
}
