// The native CacheCluster (13.3): the 48 operations of the SDK's keyspaces, each one Redis command or one
// transaction of two. Values are Buffers both ways; a miss is null.
import { nativeError } from "../native/native-error";
import { integer32, integer64, unsigned32 } from "./integers";
import { cacheError, cacheMiss, type Command, type Reply, type Store } from "./store";
import { afterMutation, setOptions } from "./ttl";

type Bytes = Buffer;
type Maybe<T> = T | null | undefined;
/** Accepted everywhere for tracing, used nowhere yet. */
type Source = unknown;

const directions: Record<string, string> = { left: "LEFT", right: "RIGHT" };

export class CacheCluster {
  readonly #store: Store;
  readonly #prefix: string;

  constructor(store: Store, prefix: string) {
    this.#store = store;
    this.#prefix = prefix;
  }

  #key(key: string): string {
    return this.#prefix + key;
  }

  #keys(keys: string[]): string[] {
    return keys.map((key) => this.#prefix + key);
  }

  /** Runs `commands` as one transaction; the reply of the first counts. `operation` and `key` name it in errors. */
  async #run<T extends Reply>(operation: string, key: string, ...commands: Command[]): Promise<T> {
    try {
      const replies = await this.#store.run(commands);
      return replies[0] as T;
    } catch (error) {
      throw cacheError(operation, key, error);
    }
  }

  #read<T extends Reply>(operation: string, name: string, key: string, ...args: (string | Bytes)[]): Promise<T> {
    const full = this.#key(key);
    return this.#run<T>(operation, full, [name, full, ...args]);
  }

  /** A command that changes `key`, and what its time to live becomes. */
  #mutate<T extends Reply>(operation: string, command: Command, key: string, ttlMs: Maybe<number>): Promise<T> {
    return this.#run<T>(operation, key, command, ...afterMutation(key, ttlMs));
  }

  #change<T extends Reply>(
    operation: string,
    name: string,
    key: string,
    ttlMs: Maybe<number>,
    ...args: (string | Bytes)[]
  ): Promise<T> {
    const full = this.#key(key);
    return this.#mutate<T>(operation, [name, full, ...args], full, ttlMs);
  }

  // ---- strings

  get(key: string, _source?: Source): Promise<Bytes | null> {
    return this.#read("get", "GET", key);
  }

  async set(key: string, value: Bytes, ttlMs?: Maybe<number>, _source?: Source): Promise<void> {
    await this.#read("set", "SET", key, value, ...setOptions(ttlMs));
  }

  async setIfNotExists(key: string, value: Bytes, ttlMs?: Maybe<number>, _source?: Source): Promise<boolean> {
    return (await this.#read("set if not exists", "SET", key, value, "NX", ...setOptions(ttlMs))) !== null;
  }

  async replace(key: string, value: Bytes, ttlMs?: Maybe<number>, _source?: Source): Promise<boolean> {
    return (await this.#read("replace", "SET", key, value, "XX", ...setOptions(ttlMs))) !== null;
  }

  getAndSet(key: string, value: Bytes, ttlMs?: Maybe<number>, _source?: Source): Promise<Bytes | null> {
    return this.#read("get and set", "SET", key, value, "GET", ...setOptions(ttlMs));
  }

  getAndDelete(key: string, _source?: Source): Promise<Bytes | null> {
    return this.#read("get and delete", "GETDEL", key);
  }

  delete(keys: string[], _source?: Source): Promise<number> {
    return this.#run("delete", this.#keys(keys)[0] ?? "", ["DEL", ...this.#keys(keys)]);
  }

  mget(keys: string[], _source?: Source): Promise<(Bytes | null)[]> {
    return this.#run("multi get", this.#keys(keys)[0] ?? "", ["MGET", ...this.#keys(keys)]);
  }

  async mset(keys: string[], values: Bytes[], ttlMs?: Maybe<number>, _source?: Source): Promise<void> {
    if (keys.length !== values.length) throw nativeError("keys and values must have the same length", "InvalidArg");
    if (keys.length === 0) return;
    const commands = this.#keys(keys).map((key, index): Command => [
      "SET",
      key,
      values[index] ?? "",
      ...setOptions(ttlMs),
    ]);
    await this.#run("multi set", this.#key(keys[0] ?? ""), ...commands);
  }

  append(key: string, value: Bytes, ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#change("append", "APPEND", key, ttlMs, value);
  }

  getRange(key: string, start: number, end: number, _source?: Source): Promise<Bytes> {
    return this.#read("get range", "GETRANGE", key, String(integer32(start)), String(integer32(end)));
  }

  setRange(key: string, offset: number, value: Bytes, ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#change("set range", "SETRANGE", key, ttlMs, String(integer32(offset)), value);
  }

  strlen(key: string, _source?: Source): Promise<number> {
    return this.#read("len", "STRLEN", key);
  }

  // ---- numbers

  incrBy(key: string, delta: number, ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#change("increment", "INCRBY", key, ttlMs, integer64(delta));
  }

  decrBy(key: string, delta: number, ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#change("decrement", "INCRBY", key, ttlMs, integer64(-delta));
  }

  async incrByFloat(key: string, delta: number, ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return Number(String(await this.#change<Bytes>("increment", "INCRBYFLOAT", key, ttlMs, String(delta))));
  }

  // ---- lists

  lpush(key: string, values: Bytes[], ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#change("push left", "LPUSH", key, ttlMs, ...values);
  }

  rpush(key: string, values: Bytes[], ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#change("push right", "RPUSH", key, ttlMs, ...values);
  }

  lpop(key: string, ttlMs?: Maybe<number>, _source?: Source): Promise<Bytes | null> {
    return this.#change("pop left", "LPOP", key, ttlMs);
  }

  rpop(key: string, ttlMs?: Maybe<number>, _source?: Source): Promise<Bytes | null> {
    return this.#change("pop right", "RPOP", key, ttlMs);
  }

  lindex(key: string, index: number, _source?: Source): Promise<Bytes | null> {
    return this.#read("list get", "LINDEX", key, String(integer32(index)));
  }

  lrange(key: string, start: number, stop: number, _source?: Source): Promise<Bytes[]> {
    return this.#read("get range", "LRANGE", key, String(integer32(start)), String(integer32(stop)));
  }

  lrangeAll(key: string, _source?: Source): Promise<Bytes[]> {
    return this.#read("items", "LRANGE", key, "0", "-1");
  }

  llen(key: string, _source?: Source): Promise<number> {
    return this.#read("list len", "LLEN", key);
  }

  /** The time to live stays as it is, whatever is asked for, as officially. */
  async ltrim(key: string, start: number, stop: number, _ttlMs?: Maybe<number>, _source?: Source): Promise<void> {
    await this.#read("list trim", "LTRIM", key, String(integer32(start)), String(integer32(stop)));
  }

  /** As `ltrim`. */
  async lset(key: string, index: number, value: Bytes, _ttlMs?: Maybe<number>, _source?: Source): Promise<void> {
    await this.#read("list set", "LSET", key, String(integer32(index)), value);
  }

  linsertBefore(key: string, pivot: Bytes, value: Bytes, ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#insert("insert before", key, ttlMs, "BEFORE", pivot, value);
  }

  linsertAfter(key: string, pivot: Bytes, value: Bytes, ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#insert("insert after", key, ttlMs, "AFTER", pivot, value);
  }

  /** A list without the pivot is a miss; no list at all is 0. */
  async #insert(operation: string, key: string, ttlMs: Maybe<number>, ...args: (string | Bytes)[]): Promise<number> {
    const length = await this.#change<number>(operation, "LINSERT", key, ttlMs, ...args);
    if (length < 0) throw cacheMiss(operation, this.#key(key));
    return length;
  }

  lremAll(key: string, value: Bytes, ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#change("remove all", "LREM", key, ttlMs, "0", value);
  }

  /** Up to `count`; none of them is asked of nobody, because to Redis 0 means all. */
  async lremFirst(key: string, count: number, value: Bytes, ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    const most = unsigned32(count);
    return most === 0 ? 0 : this.#change<number>("remove first", "LREM", key, ttlMs, String(most), value);
  }

  /** As `lremFirst`, from the end. */
  async lremLast(key: string, count: number, value: Bytes, ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    const most = unsigned32(count);
    return most === 0 ? 0 : this.#change<number>("remove last", "LREM", key, ttlMs, String(-most), value);
  }

  // eslint-disable-next-line max-params -- the signature of napi.d.cts
  lmove(
    source: string,
    target: string,
    from: string,
    to: string,
    ttlMs?: Maybe<number>,
    _source?: Source,
  ): Promise<Bytes | null> {
    const command: Command = [
      "LMOVE",
      this.#key(source),
      this.#key(target),
      directions[from] ?? from,
      directions[to] ?? to,
    ];
    return this.#move("list move", command, ttlMs);
  }

  // ---- sets

  sadd(key: string, members: Bytes[], ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#change("set add", "SADD", key, ttlMs, ...members);
  }

  srem(key: string, members: Bytes[], ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#change("set remove", "SREM", key, ttlMs, ...members);
  }

  async sismember(key: string, member: Bytes, _source?: Source): Promise<boolean> {
    return (await this.#read<number>("set contains", "SISMEMBER", key, member)) === 1;
  }

  smembers(key: string, _source?: Source): Promise<Bytes[]> {
    return this.#read("set items", "SMEMBERS", key);
  }

  scard(key: string, _source?: Source): Promise<number> {
    return this.#read("set len", "SCARD", key);
  }

  spop(key: string, ttlMs?: Maybe<number>, _source?: Source): Promise<Bytes | null> {
    return this.#change("set pop one", "SPOP", key, ttlMs);
  }

  spopN(key: string, count: number, ttlMs?: Maybe<number>, _source?: Source): Promise<Bytes[]> {
    return this.#change("set pop", "SPOP", key, ttlMs, String(unsigned32(count)));
  }

  srandmember(key: string, _source?: Source): Promise<Bytes | null> {
    return this.#read("set sample one", "SRANDMEMBER", key);
  }

  srandmemberN(key: string, count: number, _source?: Source): Promise<Bytes[]> {
    return this.#read(
      count < 0 ? "set sample with replacement" : "set sample",
      "SRANDMEMBER",
      key,
      String(integer32(count)),
    );
  }

  sdiff(keys: string[], _source?: Source): Promise<Bytes[]> {
    return this.#combine("set diff", "SDIFF", keys);
  }

  sdiffstore(destination: string, keys: string[], ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#combineInto("store set diff", "SDIFFSTORE", destination, keys, ttlMs);
  }

  sinter(keys: string[], _source?: Source): Promise<Bytes[]> {
    return this.#combine("intersect", "SINTER", keys);
  }

  sinterstore(destination: string, keys: string[], ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#combineInto("store set intersect", "SINTERSTORE", destination, keys, ttlMs);
  }

  sunion(keys: string[], _source?: Source): Promise<Bytes[]> {
    return this.#combine("union", "SUNION", keys);
  }

  sunionstore(destination: string, keys: string[], ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#combineInto("store set union", "SUNIONSTORE", destination, keys, ttlMs);
  }

  async smove(
    source: string,
    target: string,
    member: Bytes,
    ttlMs?: Maybe<number>,
    _source?: Source,
  ): Promise<boolean> {
    const command: Command = ["SMOVE", this.#key(source), this.#key(target), member];
    return (await this.#move<number>("move", command, ttlMs)) === 1;
  }

  /** The time to live of both keys is changed. */
  #move<T extends Reply>(operation: string, command: Command, ttlMs: Maybe<number>): Promise<T> {
    const [source, target] = [String(command[1]), String(command[2])];
    return this.#run<T>(operation, source, command, ...afterMutation(source, ttlMs), ...afterMutation(target, ttlMs));
  }

  #combine(operation: string, name: string, keys: string[]): Promise<Bytes[]> {
    return this.#run(operation, this.#keys(keys)[0] ?? "", [name, ...this.#keys(keys)]);
  }

  #combineInto(
    operation: string,
    name: string,
    destination: string,
    keys: string[],
    ttlMs: Maybe<number>,
  ): Promise<number> {
    const full = this.#key(destination);
    return this.#mutate(operation, [name, full, ...this.#keys(keys)], full, ttlMs);
  }
}
