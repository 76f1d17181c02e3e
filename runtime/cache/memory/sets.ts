// Set commands of the in-process cache.
import { randomInt } from "node:crypto";
import type { Argument, Reply } from "../store";
import { bytesOf, integerOf, textOf, type Commands } from "./arguments";
import { memberId, type Keyspace } from "./keyspace";

type Members = Map<string, Buffer>;

const none: Members = new Map();

/** Where the set is, as all that changes one: a copy of a large one would hold everybody up for each member. */
function add(keys: Keyspace, args: Argument[]): Reply {
  const members = keys.set(textOf(args, 0)) ?? new Map<string, Buffer>();
  const before = members.size;
  for (const value of args.slice(1)) {
    const member = Buffer.from(value);
    members.set(memberId(member), member);
  }
  keys.put(textOf(args, 0), members);
  return members.size - before;
}

function remove(keys: Keyspace, key: string, values: Argument[]): number {
  const members = keys.set(key);
  if (members === undefined) return 0;
  const removed = values.filter((value) => members.delete(memberId(Buffer.from(value)))).length;
  if (removed > 0) keys.put(key, members);
  return removed;
}

/** Different members in random order. */
function sample(members: Members, count: number): Buffer[] {
  if (count === 1) return oneOf(members);
  const pool = [...members.values()];
  for (let at = 0; at < Math.min(count, pool.length); at++) {
    const other = randomInt(at, pool.length);
    const [a, b] = [pool[at], pool[other]];
    if (a && b) [pool[at], pool[other]] = [b, a];
  }
  return pool.slice(0, count);
}

function oneOf(members: Members): Buffer[] {
  let left = members.size === 0 ? 0 : randomInt(members.size);
  for (const member of members.values()) if (left-- === 0) return [member];
  return [];
}

/** A negative count may bring a member more than once. */
function randomMembers(keys: Keyspace, args: Argument[]): Reply {
  const members = keys.set(textOf(args, 0)) ?? none;
  if (args.length === 1) return sample(members, 1)[0] ?? null;
  const count = integerOf(args, 1);
  if (count >= 0 || members.size === 0) return sample(members, Math.max(count, 0));
  const pool = [...members.values()];
  return Array.from({ length: -count }, () => pool[randomInt(pool.length)] ?? null);
}

function pop(keys: Keyspace, args: Argument[]): Reply {
  const key = textOf(args, 0);
  const single = args.length === 1;
  const taken = sample(keys.set(key) ?? none, single ? 1 : integerOf(args, 1));
  if (taken.length > 0) remove(keys, key, taken);
  return single ? (taken[0] ?? null) : taken;
}

type Combine = (first: Members, rest: Members[]) => Members;

function keep(from: Members, wanted: (id: string) => boolean): Members {
  const kept: Members = new Map();
  for (const [id, member] of from) if (wanted(id)) kept.set(id, member);
  return kept;
}

const difference: Combine = (first, rest) => keep(first, (id) => !rest.some((set) => set.has(id)));
const intersection: Combine = (first, rest) => keep(first, (id) => rest.every((set) => set.has(id)));
const union: Combine = (first, rest) => {
  const all = new Map(first);
  for (const set of rest) for (const [id, member] of set) all.set(id, member);
  return all;
};

function combined(keys: Keyspace, names: Argument[], combine: Combine): Members {
  const [first = none, ...rest] = names.map((name) => keys.set(String(name)) ?? none);
  return combine(first, rest);
}

/** The destination is replaced, its time to live with it. */
function store(keys: Keyspace, args: Argument[], combine: Combine): Reply {
  const result = combined(keys, args.slice(1), combine);
  keys.delete(textOf(args, 0));
  keys.put(textOf(args, 0), result);
  return result.size;
}

function move(keys: Keyspace, args: Argument[]): Reply {
  const [source, target, member] = [textOf(args, 0), textOf(args, 1), bytesOf(args, 2)];
  if (!keys.set(source)) return 0;
  keys.set(target); // of the right kind, before anything is taken out
  if (remove(keys, source, [member]) === 0) return 0;
  keys.put(target, (keys.set(target) ?? new Map<string, Buffer>()).set(memberId(member), member));
  return 1;
}

export const setCommands: Commands = {
  SADD: { args: 2, run: add },
  SREM: { args: 2, run: (keys, args) => remove(keys, textOf(args, 0), args.slice(1)) },
  SISMEMBER: {
    args: 2,
    run: (keys, args) => Number(keys.set(textOf(args, 0))?.has(memberId(bytesOf(args, 1))) ?? false),
  },
  SMEMBERS: { args: 1, run: (keys, args) => [...(keys.set(textOf(args, 0)) ?? none).values()] },
  SCARD: { args: 1, run: (keys, args) => keys.set(textOf(args, 0))?.size ?? 0 },
  SPOP: { args: 1, run: pop },
  SRANDMEMBER: { args: 1, run: randomMembers },
  SDIFF: { args: 1, run: (keys, args) => [...combined(keys, args, difference).values()] },
  SINTER: { args: 1, run: (keys, args) => [...combined(keys, args, intersection).values()] },
  SUNION: { args: 1, run: (keys, args) => [...combined(keys, args, union).values()] },
  SDIFFSTORE: { args: 2, run: (keys, args) => store(keys, args, difference) },
  SINTERSTORE: { args: 2, run: (keys, args) => store(keys, args, intersection) },
  SUNIONSTORE: { args: 2, run: (keys, args) => store(keys, args, union) },
  SMOVE: { args: 3, run: move },
};
