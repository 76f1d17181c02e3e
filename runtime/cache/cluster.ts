// The native CacheCluster (13.3): the 48 operations of the SDK's keyspaces, each one Redis command or one
// transaction of two. Values are Buffers both ways; a miss is null.
import { cacheError, type Command, type Reply, type Store } from "./store";
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

  #change<T extends Reply>(operation: string, name: string, key: string, ttlMs: Maybe<number>, ...args: (string | Bytes)[]): Promise<T> {
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
    if (keys.length === 0) return;
    const commands = this.#keys(keys).map((key, index): Command => ["SET", key, values[index] ?? "", ...setOptions(ttlMs)]);
    await this.#run("multi set", this.#key(keys[0] ?? ""), ...commands);
  }

  append(key: string, value: Bytes, ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#change("append", "APPEND", key, ttlMs, value);
  }

  getRange(key: string, start: number, end: number, _source?: Source): Promise<Bytes> {
    return this.#read("get range", "GETRANGE", key, String(start), String(end));
  }

  setRange(key: string, offset: number, value: Bytes, ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#change("set range", "SETRANGE", key, ttlMs, String(offset), value);
  }

  strlen(key: string, _source?: Source): Promise<number> {
    return this.#read("len", "STRLEN", key);
  }

  // ---- numbers

  incrBy(key: string, delta: number, ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#change("increment", "INCRBY", key, ttlMs, String(Math.trunc(delta)));
  }

  decrBy(key: string, delta: number, ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#change("decrement", "DECRBY", key, ttlMs, String(Math.trunc(delta)));
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
    return this.#read("get", "LINDEX", key, String(index));
  }

  lrange(key: string, start: number, stop: number, _source?: Source): Promise<Bytes[]> {
    return this.#read("get range", "LRANGE", key, String(start), String(stop));
  }

  lrangeAll(key: string, _source?: Source): Promise<Bytes[]> {
    return this.#read("items", "LRANGE", key, "0", "-1");
  }

  llen(key: string, _source?: Source): Promise<number> {
    return this.#read("len", "LLEN", key);
  }

  /** The time to live stays as it is, whatever is asked for, as officially. */
  async ltrim(key: string, start: number, stop: number, _ttlMs?: Maybe<number>, _source?: Source): Promise<void> {
    await this.#read("trim", "LTRIM", key, String(start), String(stop));
  }

  /** As `ltrim`. */
  async lset(key: string, index: number, value: Bytes, _ttlMs?: Maybe<number>, _source?: Source): Promise<void> {
    await this.#read("set", "LSET", key, String(index), value);
  }

  linsertBefore(key: string, pivot: Bytes, value: Bytes, ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#change("insert before", "LINSERT", key, ttlMs, "BEFORE", pivot, value);
  }

  linsertAfter(key: string, pivot: Bytes, value: Bytes, ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#change("insert after", "LINSERT", key, ttlMs, "AFTER", pivot, value);
  }

  lremAll(key: string, value: Bytes, ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#change("remove all", "LREM", key, ttlMs, "0", value);
  }

  lremFirst(key: string, count: number, value: Bytes, ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#change("remove first", "LREM", key, ttlMs, String(count), value);
  }

  lremLast(key: string, count: number, value: Bytes, ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#change("remove last", "LREM", key, ttlMs, String(-count), value);
  }

  // eslint-disable-next-line max-params -- the signature of napi.d.cts
  lmove(source: string, target: string, from: string, to: string, ttlMs?: Maybe<number>, _source?: Source): Promise<Bytes | null> {
    const command: Command = ["LMOVE", this.#key(source), this.#key(target), directions[from] ?? from, directions[to] ?? to];
    return this.#mutate("move", command, this.#key(target), ttlMs);
  }

  // ---- sets

  sadd(key: string, members: Bytes[], ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#change("add", "SADD", key, ttlMs, ...members);
  }

  srem(key: string, members: Bytes[], ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#change("remove", "SREM", key, ttlMs, ...members);
  }

  async sismember(key: string, member: Bytes, _source?: Source): Promise<boolean> {
    return (await this.#read<number>("contains", "SISMEMBER", key, member)) === 1;
  }

  smembers(key: string, _source?: Source): Promise<Bytes[]> {
    return this.#read("items", "SMEMBERS", key);
  }

  scard(key: string, _source?: Source): Promise<number> {
    return this.#read("len", "SCARD", key);
  }

  spop(key: string, ttlMs?: Maybe<number>, _source?: Source): Promise<Bytes | null> {
    return this.#change("pop one", "SPOP", key, ttlMs);
  }

  spopN(key: string, count: number, ttlMs?: Maybe<number>, _source?: Source): Promise<Bytes[]> {
    return this.#change("pop", "SPOP", key, ttlMs, String(count));
  }

  srandmember(key: string, _source?: Source): Promise<Bytes | null> {
    return this.#read("sample one", "SRANDMEMBER", key);
  }

  srandmemberN(key: string, count: number, _source?: Source): Promise<Bytes[]> {
    return this.#read("sample", "SRANDMEMBER", key, String(count));
  }

  sdiff(keys: string[], _source?: Source): Promise<Bytes[]> {
    return this.#combine("diff", "SDIFF", keys);
  }

  sdiffstore(destination: string, keys: string[], ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#combineInto("diff store", "SDIFFSTORE", destination, keys, ttlMs);
  }

  sinter(keys: string[], _source?: Source): Promise<Bytes[]> {
    return this.#combine("intersect", "SINTER", keys);
  }

  sinterstore(destination: string, keys: string[], ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#combineInto("intersect store", "SINTERSTORE", destination, keys, ttlMs);
  }

  sunion(keys: string[], _source?: Source): Promise<Bytes[]> {
    return this.#combine("union", "SUNION", keys);
  }

  sunionstore(destination: string, keys: string[], ttlMs?: Maybe<number>, _source?: Source): Promise<number> {
    return this.#combineInto("union store", "SUNIONSTORE", destination, keys, ttlMs);
  }

  async smove(source: string, target: string, member: Bytes, ttlMs?: Maybe<number>, _source?: Source): Promise<boolean> {
    const command: Command = ["SMOVE", this.#key(source), this.#key(target), member];
    return (await this.#mutate<number>("move", command, this.#key(target), ttlMs)) === 1;
  }

  #combine(operation: string, name: string, keys: string[]): Promise<Bytes[]> {
    return this.#run(operation, this.#keys(keys)[0] ?? "", [name, ...this.#keys(keys)]);
  }

  #combineInto(operation: string, name: string, destination: string, keys: string[], ttlMs: Maybe<number>): Promise<number> {
    const full = this.#key(destination);
    return this.#mutate(operation, [name, full, ...this.#keys(keys)], full, ttlMs);
  }
}
