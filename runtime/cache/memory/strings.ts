// String and number commands of the in-process cache.
import { refused, type Argument, type Reply } from "../store";
import { bytesOf, integerOf, rangeOf, textOf, type Commands } from "./arguments";
import type { Keyspace } from "./keyspace";

const INT64_MAX = 2n ** 63n - 1n;
const FRACTION_DIGITS_MAX = 17;

function expiryFrom(args: Argument[], options: string[]): number | null | "keep" {
  if (options.includes("KEEPTTL")) return "keep";
  const at = options.indexOf("PX");
  if (at < 0) return null;
  const ttlMs = integerOf(args, at + 3);
  if (ttlMs <= 0) throw refused("invalid expire time in set");
  return ttlMs;
}

function set(keys: Keyspace, args: Argument[]): Reply {
  const key = textOf(args, 0);
  const options = args.slice(2).map(String);
  const expiry = expiryFrom(args, options);
  const wantsOld = options.includes("GET");
  const old = wantsOld ? (keys.text(key) ?? null) : null;
  const exists = keys.get(key) !== undefined;
  if ((options.includes("NX") && exists) || (options.includes("XX") && !exists)) return wantsOld ? old : null;
  keys.put(key, bytesOf(args, 1));
  if (expiry !== "keep") keys.expire(key, expiry);
  return wantsOld ? old : Buffer.from("OK");
}

function setRange(keys: Keyspace, args: Argument[]): Reply {
  const offset = integerOf(args, 1);
  if (offset < 0) throw refused("offset is out of range");
  const part = bytesOf(args, 2);
  const old = keys.text(textOf(args, 0)) ?? Buffer.alloc(0);
  if (part.length === 0) return old.length;
  const result = Buffer.alloc(Math.max(old.length, offset + part.length));
  old.copy(result);
  part.copy(result, offset);
  keys.put(textOf(args, 0), result);
  return result.length;
}

/** As Redis writes them: no sign but minus, no zero in front. */
const isInteger64 = (text: string): boolean =>
  /^(?:0|-?[1-9]\d*)$/.test(text) && BigInt(text) <= INT64_MAX && BigInt(text) >= -INT64_MAX - 1n;

function addInteger(keys: Keyspace, args: Argument[], sign: 1n | -1n): Reply {
  const key = textOf(args, 0);
  const old = keys.text(key)?.toString() ?? "0";
  const delta = textOf(args, 1);
  if (!isInteger64(old) || !isInteger64(delta)) throw refused("value is not an integer or out of range");
  const sum = BigInt(old) + sign * BigInt(delta);
  if (sum > INT64_MAX || sum < -INT64_MAX - 1n) throw refused("increment or decrement would overflow");
  keys.put(key, Buffer.from(sum.toString()));
  return Number(sum);
}

/** A decimal text as an integer and the number of its fraction digits. */
function decimalParts(text: string): { digits: bigint; scale: number } {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?$/i.exec(text);
  if (!match || (match[2] === "" && match[3] === "")) throw refused("value is not a valid float");
  const fraction = match[3] ?? "";
  const exponent = Number(match[4] ?? 0);
  const digits = BigInt(`${match[2] ?? ""}${fraction}` || "0") * (match[1] === "-" ? -1n : 1n);
  const scale = fraction.length - exponent;
  return scale >= 0 ? { digits, scale } : { digits: digits * 10n ** BigInt(-scale), scale: 0 };
}

/** Exact, where adding doubles would not be: Redis computes with long doubles. */
function addDecimals(a: string, b: string): string {
  const left = decimalParts(a);
  const right = decimalParts(b);
  const scale = Math.max(left.scale, right.scale);
  const sum = left.digits * 10n ** BigInt(scale - left.scale) + right.digits * 10n ** BigInt(scale - right.scale);
  const text = (sum < 0n ? -sum : sum).toString().padStart(scale + 1, "0");
  const whole = text.slice(0, text.length - scale);
  const fraction = text
    .slice(text.length - scale)
    .slice(0, FRACTION_DIGITS_MAX)
    .replace(/(?<!0)0+$/, "");
  return `${sum < 0n ? "-" : ""}${whole}${fraction ? `.${fraction}` : ""}`;
}

function addFloat(keys: Keyspace, args: Argument[]): Reply {
  const key = textOf(args, 0);
  const sum = Buffer.from(addDecimals(keys.text(key)?.toString() ?? "0", textOf(args, 1)));
  keys.put(key, sum);
  return sum;
}

function append(keys: Keyspace, args: Argument[]): Reply {
  const joined = Buffer.concat([keys.text(textOf(args, 0)) ?? Buffer.alloc(0), bytesOf(args, 1)]);
  keys.put(textOf(args, 0), joined);
  return joined.length;
}

/** MGET answers null for a key of another kind instead of refusing. */
function textOrNull(keys: Keyspace, key: string): Buffer | null {
  const value = keys.get(key);
  return Buffer.isBuffer(value) ? value : null;
}

export const stringCommands: Commands = {
  GET: { args: 1, run: (keys, args) => keys.text(textOf(args, 0)) ?? null },
  SET: { args: 2, check: (args) => void expiryFrom(args, args.slice(2).map(String)), run: set },
  GETDEL: {
    args: 1,
    run: (keys, args) => {
      const value = keys.text(textOf(args, 0)) ?? null;
      keys.delete(textOf(args, 0));
      return value;
    },
  },
  DEL: { args: 1, run: (keys, args) => args.filter((key) => keys.delete(String(key))).length },
  MGET: { args: 1, run: (keys, args) => args.map((key) => textOrNull(keys, String(key))) },
  APPEND: { args: 2, run: append },
  GETRANGE: {
    args: 3,
    run: (keys, args) => {
      const value = keys.text(textOf(args, 0)) ?? Buffer.alloc(0);
      const [start, stop] = [integerOf(args, 1), integerOf(args, 2)];
      if (start < 0 && stop < 0 && start > stop) return Buffer.alloc(0);
      // Unlike a list's, a text's range that ends before it begins is its first byte.
      return value.subarray(...rangeOf(value.length, start, stop < -value.length ? 0 : stop));
    },
  },
  SETRANGE: { args: 3, run: setRange },
  STRLEN: { args: 1, run: (keys, args) => keys.text(textOf(args, 0))?.length ?? 0 },
  INCRBY: { args: 2, run: (keys, args) => addInteger(keys, args, 1n) },
  DECRBY: { args: 2, run: (keys, args) => addInteger(keys, args, -1n) },
  INCRBYFLOAT: { args: 2, run: addFloat },
  PEXPIRE: {
    args: 2,
    run: (keys, args) => Number(keys.expire(textOf(args, 0), integerOf(args, 1))),
  },
  PERSIST: { args: 1, run: (keys, args) => Number(keys.expire(textOf(args, 0), null)) },
};
