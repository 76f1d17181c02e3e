// The SDK hands raw handlers imitations of node's request and response. They are made to do what node's own objects do
// (IncomingMessage and ServerResponse, lib/_http_incoming.js and _http_outgoing.js): tell that the client has left, hold a
// writer back while the reader is slow, cut the connection when they are destroyed, and keep an error that nobody listens
// to from ending the process. The classes are the app's own copy of encore.dev; only their prototypes are touched.
import { AsyncLocalStorage } from "node:async_hooks";
import { IncomingMessage, ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { Socket } from "node:net";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { pathToFileURL } from "node:url";
import { isHostError } from "../native/body-reader";

type Callback = (error?: Error | null) => void;

interface SdkRequest extends Readable {
  complete: boolean;
  aborted?: boolean;
  [LINK]?: RawLink;
}

interface SdkResponse extends Writable {
  finished: boolean;
  _writeHeaderIfNeeded(): void;
  [LINK]?: RawLink;
}

/** What ties the two objects of one request to its connection. */
export interface RawLink {
  request?: SdkRequest;
  response?: SdkResponse;
  /** Cuts the connection, unless the answer is out. */
  cut(): void;
  /** Sends the head at once. */
  flush(): void;
  /** An error that nobody listens to. */
  report(error: unknown): void;
  /** The handler threw where nobody could catch it: the request is answered if it can be, and the connection ends. */
  lost(thrown: unknown): void;
}

const LINK = Symbol("groundwork.raw");

/** The link whose two objects the SDK makes in this very turn. */
let making: RawLink | null = null;

/** Which raw request the code that runs belongs to. */
const current = new AsyncLocalStorage<RawLink>();

/** Runs a raw handler's call, in which the SDK makes its two objects. */
export function withLink(link: RawLink, call: () => void): void {
  current.run(link, () => {
    making = link;
    try {
      call();
    } finally {
      making = null;
    }
  });
}

/** Runs what the end of a connection or of a write starts: what listeners throw there is their request's, as in the handler. */
export const within = (link: RawLink, run: () => void): void => current.run(link, run);

/** The raw request that an exception came out of, if it was one. */
export const currentLink = (): RawLink | undefined => current.getStore();

type Part = "request" | "response" | "socket";

/** node's constructors of streams look for `_construct`, which makes it the one moment when the SDK's objects can be met. */
function meet(prototype: object, part: Part): void {
  Object.defineProperty(prototype, "_construct", {
    configurable: true,
    get(this: SdkRequest & SdkResponse) {
      if (making && part === "socket") this[LINK] = making;
      else if (making && part !== "socket" && making[part] === undefined && this[LINK] === undefined) {
        making[part] = this;
        this[LINK] = making;
      }
      return undefined;
    },
  });
}

const requestMethods = {
  push(this: SdkRequest, chunk: unknown, encoding?: BufferEncoding): boolean {
    if (chunk === null) this.complete = true;
    return Readable.prototype.push.call(this, chunk, encoding);
  },

  _destroy(this: SdkRequest, error: Error | null, callback: Callback): void {
    if (!this.readableEnded || !this.complete) {
      this.aborted = true;
      this.emit("aborted");
      if (!isHostError(error)) this[LINK]?.response && setImmediate(() => abandon(this[LINK]));
    }
    process.nextTick(() => callback(this.listenerCount("error") === 0 ? null : error));
  },
};

/** A handler that gave up its request may still have an answer, which it gives in the same turn. */
function abandon(link: RawLink | undefined): void {
  if (link?.response && !link.response.writableEnded) link.cut();
}

const isDone = (value: unknown): value is Callback => typeof value === "function";

/**
 * Whether a second `end` is told at once that the response has ended. Up to Node 22 it is as soon as the bytes are with
 * the kernel, which is before `finish`; Node 24 calls it back at `finish`, as any stream does. This Node is asked.
 */
function tellsSecondEndAtOnce(): boolean {
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  response.assignSocket(new Writable({ write: (_chunk, _encoding, done) => done() }) as Socket);
  response.end("whole");
  let isTold = false;
  response.end(() => (isTold = true));
  return isTold;
}

const secondEndIsToldAtOnce = tellsSecondEndAtOnce();

function refuse(response: SdkResponse, code: string, message: string, done: unknown): void {
  const error = Object.assign(new Error(message), { code });
  process.nextTick(() => {
    if (isDone(done)) done(error);
    if (code === "ERR_STREAM_WRITE_AFTER_END") response.emit("error", error);
  });
}

const responseMethods = {
  /** The SDK's own always answers true: a pipe would never wait. */
  write(this: SdkResponse, chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
    if (this.writableEnded) {
      refuse(this, "ERR_STREAM_WRITE_AFTER_END", "write after end", isDone(encoding) ? encoding : callback);
      return false;
    }
    return Writable.prototype.write.call(this, chunk, encoding as BufferEncoding, callback as Callback);
  },

  end(this: SdkResponse, chunk?: unknown, encoding?: unknown, callback?: unknown): SdkResponse {
    const done = [chunk, encoding, callback].find(isDone);
    if (!this.writableEnded) {
      this.finished = true;
      return Writable.prototype.end.call(
        this,
        chunk,
        encoding as BufferEncoding,
        callback as () => void,
      ) as SdkResponse;
    }
    const isWrite = chunk !== undefined && chunk !== null && !isDone(chunk);
    if (isWrite) refuse(this, "ERR_STREAM_WRITE_AFTER_END", "write after end", done);
    else if (this.writableFinished || secondEndIsToldAtOnce)
      refuse(this, "ERR_STREAM_ALREADY_FINISHED", "Cannot call end after a stream was finished", done);
    else Writable.prototype.end.call(this, undefined, "utf8", done);
    return this;
  },

  flushHeaders(this: SdkResponse): void {
    this._writeHeaderIfNeeded();
    this[LINK]?.flush();
  },

  emit(this: SdkResponse, event: string | symbol, ...args: unknown[]): boolean {
    if (event !== "error" || this.listenerCount("error") > 0) return Writable.prototype.emit.call(this, event, ...args);
    this[LINK]?.report(args[0]);
    return false;
  },

  _destroy(this: SdkResponse, error: Error | null, callback: Callback): void {
    if (!this.writableFinished) this[LINK]?.cut();
    callback(error);
  },
};

interface SdkSocket {
  destroyed: boolean;
  [LINK]?: RawLink;
}

/** The SDK's sockets are dummies; to destroy one is how some handlers and libraries cut a connection. */
const socketMethods = {
  destroy(this: SdkSocket): SdkSocket {
    this.destroyed = true;
    this[LINK]?.cut();
    return this;
  },

  /** What was written leaves first. */
  destroySoon(this: SdkSocket): void {
    const link = this[LINK];
    const response = link?.response;
    this.destroyed = true;
    if (!link || response?.writableEnded) return;
    if (response && response.writableLength > 0) Writable.prototype.write.call(response, "", "utf8", () => link.cut());
    else link.cut();
  },

  resetAndDestroy(this: SdkSocket): SdkSocket {
    return socketMethods.destroy.call(this);
  },
};

interface SdkClasses {
  RawRequest?: { prototype: object };
  RawResponse?: { prototype: object; new (request: object, writer: object): { socket: object } };
}

const adapted = new WeakSet<object>();

function adapt(prototype: object | undefined, part: Part, methods: object): void {
  if (!prototype || adapted.has(prototype)) return;
  adapted.add(prototype);
  meet(prototype, part);
  for (const [name, value] of Object.entries(methods))
    Object.defineProperty(prototype, name, { value: value as unknown, configurable: true, writable: true });
}

/** Finds the app's copy of the SDK, which is the one that its handlers get their objects from. */
export async function adaptRawObjects(appRoot: string): Promise<void> {
  const file = createRequire(join(appRoot, "package.json")).resolve("encore.dev/api");
  const sdk = (await import(pathToFileURL(file).href)) as SdkClasses;
  // The class of the sockets is not exported: one of its objects leads to it.
  const socket = sdk.RawResponse && new sdk.RawResponse({}, {}).socket;
  adapt(socket && (Object.getPrototypeOf(socket) as object), "socket", socketMethods);
  adapt(sdk.RawRequest?.prototype, "request", requestMethods);
  adapt(sdk.RawResponse?.prototype, "response", responseMethods);
}
