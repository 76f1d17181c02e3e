// List commands of the in-process cache.
import { refused, type Argument, type Reply } from "../store";
import { bytesOf, integerOf, rangeOf, textOf, type Commands } from "./arguments";
import type { Keyspace } from "./keyspace";

function push(keys: Keyspace, args: Argument[], side: "LEFT" | "RIGHT"): Reply {
  const key = textOf(args, 0);
  const added = args.slice(1).map((value) => Buffer.from(value));
  const old = keys.list(key) ?? [];
  const list = side === "RIGHT" ? [...old, ...added] : [...added.reverse(), ...old];
  keys.put(key, list);
  return list.length;
}

function pop(keys: Keyspace, key: string, side: string): Buffer | null {
  const list = keys.list(key);
  const value = side === "LEFT" ? list?.shift() : list?.pop();
  if (list) keys.put(key, list);
  return value ?? null;
}

const positionIn = (list: Buffer[], index: number): number => (index < 0 ? list.length + index : index);

function setAt(keys: Keyspace, args: Argument[]): Reply {
  const list = keys.list(textOf(args, 0));
  if (!list) throw refused("no such key");
  const at = positionIn(list, integerOf(args, 1));
  if (at < 0 || at >= list.length) throw refused("index out of range");
  list[at] = bytesOf(args, 2);
  return Buffer.from("OK");
}

function trim(keys: Keyspace, args: Argument[]): Reply {
  const list = keys.list(textOf(args, 0));
  if (list) keys.put(textOf(args, 0), list.slice(...rangeOf(list.length, integerOf(args, 1), integerOf(args, 2))));
  return Buffer.from("OK");
}

/** -1: the pivot is not in the list; 0: there is no list. */
function insert(keys: Keyspace, args: Argument[]): Reply {
  const list = keys.list(textOf(args, 0));
  if (!list) return 0;
  const pivot = bytesOf(args, 2);
  const at = list.findIndex((value) => value.equals(pivot));
  if (at < 0) return -1;
  list.splice(textOf(args, 1) === "AFTER" ? at + 1 : at, 0, bytesOf(args, 3));
  return list.length;
}

/** Takes out up to |count| equal values, from the end when count is negative; 0 means all. */
function remove(keys: Keyspace, args: Argument[]): Reply {
  const key = textOf(args, 0);
  const count = integerOf(args, 1);
  const value = bytesOf(args, 2);
  const list = [...(keys.list(key) ?? [])];
  if (count < 0) list.reverse();
  let left = count === 0 ? list.length : Math.abs(count);
  const kept = list.filter((item) => !(left > 0 && item.equals(value) && left--));
  if (count < 0) kept.reverse();
  keys.put(key, kept);
  return list.length - kept.length;
}

function move(keys: Keyspace, args: Argument[]): Reply {
  const target = textOf(args, 1);
  if (!keys.list(textOf(args, 0))) return null;
  keys.list(target); // of the right kind, before anything is taken out
  const value = pop(keys, textOf(args, 0), textOf(args, 2));
  if (value === null) return null;
  const list = keys.list(target) ?? [];
  keys.put(target, textOf(args, 3) === "LEFT" ? [value, ...list] : [...list, value]);
  return value;
}

export const listCommands: Commands = {
  LPUSH: { args: 2, run: (keys, args) => push(keys, args, "LEFT") },
  RPUSH: { args: 2, run: (keys, args) => push(keys, args, "RIGHT") },
  LPOP: { args: 1, run: (keys, args) => pop(keys, textOf(args, 0), "LEFT") },
  RPOP: { args: 1, run: (keys, args) => pop(keys, textOf(args, 0), "RIGHT") },
  LINDEX: {
    args: 2,
    run: (keys, args) => {
      const list = keys.list(textOf(args, 0)) ?? [];
      return list[positionIn(list, integerOf(args, 1))] ?? null;
    },
  },
  LRANGE: {
    args: 3,
    run: (keys, args) => {
      const list = keys.list(textOf(args, 0)) ?? [];
      return list.slice(...rangeOf(list.length, integerOf(args, 1), integerOf(args, 2)));
    },
  },
  LLEN: { args: 1, run: (keys, args) => keys.list(textOf(args, 0))?.length ?? 0 },
  LTRIM: { args: 3, run: trim },
  LSET: { args: 3, run: setAt },
  LINSERT: { args: 4, run: insert },
  LREM: { args: 3, run: remove },
  LMOVE: { args: 4, run: move },
};
