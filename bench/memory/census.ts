// What a process holds after a garbage collection: memory, and everything that something long-lived could be keeping by
// mistake (listeners, timers, abort signals). Read through the inspector, from inside or from another process, so that
// what is measured runs unchanged. Counts objects by V8's `queryObjects`, which collects garbage first.
import { Session } from "node:inspector/promises";

export interface Memory {
  heapUsedBytes: number;
  rssBytes: number;
}

export interface Census {
  /** Of event emitters, over all of them. */
  listeners: number;
  /** Of event targets, for the events that are listened to for long: abort, message, close, error. */
  targetListeners: number;
  abortSignals: number;
  timers: number;
}

/** Sends one command of the inspector's protocol. */
export type Inspect = (method: string, params?: object) => Promise<unknown>;

interface Remote {
  objectId?: string;
  value?: unknown;
}

const PROTOTYPES = `(() => {
  const { EventEmitter, getEventListeners } = process.getBuiltinModule("node:events");
  const timer = setTimeout(() => undefined, 0);
  clearTimeout(timer);
  return { emitter: EventEmitter.prototype, target: EventTarget.prototype, timer: Object.getPrototypeOf(timer), getEventListeners };
})()`;

const COUNT_LISTENERS = `function () {
  let all = 0;
  for (const emitter of this) {
    try { for (const name of emitter.eventNames()) all += emitter.listenerCount(name); } catch {}
  }
  return all;
}`;

const COUNT_TARGETS = `function (getEventListeners) {
  let listeners = 0;
  let signals = 0;
  for (const target of this) {
    if (target instanceof AbortSignal) signals++;
    try { for (const name of ["abort", "message", "close", "error"]) listeners += getEventListeners(target, name).length; } catch {}
  }
  return [listeners, signals];
}`;

const COUNT_LIVE_TIMERS = `function () { return Array.from(this).filter((timer) => timer._destroyed === false).length; }`;

/** The memory of the process behind `inspect`, after a garbage collection. */
export async function takeMemory(inspect: Inspect): Promise<Memory> {
  // Twice: the first frees what finalizers then let go.
  await inspect("HeapProfiler.collectGarbage");
  await inspect("HeapProfiler.collectGarbage");
  const heap = (await inspect("Runtime.getHeapUsage")) as { usedSize: number };
  const rss = await evaluate(inspect, "process.memoryUsage.rss()");
  return { heapUsedBytes: heap.usedSize, rssBytes: Number(rss.value) };
}

/** The census of the process behind `inspect`. Stops it for some tenths of a second. */
export async function takeCensus(inspect: Inspect): Promise<Census> {
  const known = await evaluate(inspect, PROTOTYPES);
  const part = async (name: string): Promise<Remote> =>
    call(inspect, known, `function () { return this.${name}; }`, { returnByValue: false });
  const among = async (name: string, count: string, ...args: Remote[]): Promise<unknown> => {
    const { objectId } = await part(name);
    const { objects } = (await inspect("Runtime.queryObjects", { prototypeObjectId: objectId })) as { objects: Remote };
    const counted = await call(inspect, objects, count, { args });
    await inspect("Runtime.releaseObject", { objectId: objects.objectId });
    return counted.value;
  };
  const [targetListeners = 0, abortSignals = 0] = (await among(
    "target",
    COUNT_TARGETS,
    await part("getEventListeners"),
  )) as number[];
  return {
    listeners: Number(await among("emitter", COUNT_LISTENERS)),
    targetListeners,
    abortSignals,
    timers: Number(await among("timer", COUNT_LIVE_TIMERS)),
  };
}

async function evaluate(inspect: Inspect, expression: string): Promise<Remote> {
  return ((await inspect("Runtime.evaluate", { expression })) as { result: Remote }).result;
}

async function call(
  inspect: Inspect,
  self: Remote,
  functionDeclaration: string,
  { args = [], returnByValue = true }: { args?: Remote[]; returnByValue?: boolean } = {},
): Promise<Remote> {
  const sent = {
    objectId: self.objectId,
    functionDeclaration,
    arguments: args.map(({ objectId }) => ({ objectId })),
    returnByValue,
  };
  return ((await inspect("Runtime.callFunctionOn", sent)) as { result: Remote }).result;
}

/** Runs `look` upon this process itself. */
export async function ofThisProcess<T>(look: (inspect: Inspect) => Promise<T>): Promise<T> {
  const session = new Session();
  session.connect();
  try {
    return await look((method, params) => session.post(method as "Runtime.evaluate", params as never));
  } finally {
    session.disconnect();
  }
}
