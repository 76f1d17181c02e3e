// What every generated TypeScript client carries: requests, errors, streams. It is text, because it must stand in one
// file with the app's types and need nothing but `fetch` and `WebSocket`.

const types = `export type JSONValue = string | number | boolean | null | JSONValue[] | { [key: string]: JSONValue };

/** The part of a WebSocket that streams use; node before 22 has none of its own, so there one is passed in. */
export interface SocketLike {
  readonly readyState: number;
  send(data: string): void;
  close(): void;
  addEventListener(type: "open" | "close" | "error" | "message", listener: (event: any) => void): void;
}

export type SocketClass = new (url: string, protocols: string[]) => SocketLike;

export interface ClientOptions {
  /** Given once, or asked for before every request. */
  auth?: Auth | (() => Auth | undefined | Promise<Auth | undefined>);
  fetch?: typeof globalThis.fetch;
  webSocket?: SocketClass;
  /** Part of every request, \`credentials\` or \`headers\` for example. */
  requestInit?: Omit<RequestInit, "headers"> & { headers?: Record<string, string> };
}

export type RawInit = Omit<RequestInit, "method" | "headers"> & { headers?: Record<string, string>; query?: Record<string, unknown> };

interface Places {
  query?: Record<string, unknown> | undefined;
  headers?: Record<string, unknown> | undefined;
  cookies?: Record<string, unknown> | undefined;
}

interface Call extends Places {
  method: string;
  path: string;
  body?: unknown;
  /** Field of the result → its header and type. */
  responseHeaders?: Record<string, [name: string, kind: "string" | "number" | "boolean", isList?: boolean]>;
}
`;

const errors = `export type ErrorCode =
  | "canceled" | "unknown" | "invalid_argument" | "deadline_exceeded" | "not_found" | "already_exists" | "permission_denied" | "resource_exhausted"
  | "failed_precondition" | "aborted" | "out_of_range" | "unimplemented" | "internal" | "unavailable" | "data_loss" | "unauthenticated";

/** An answer that is an error. */
export class APIError extends Error {
  override readonly name = "APIError";

  /** HTTP status. */
  readonly status: number;
  readonly code: ErrorCode;
  readonly details: unknown;

  constructor(status: number, code: ErrorCode, message: string, details: unknown = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

async function errorOf(response: globalThis.Response): Promise<APIError> {
  const text = await response.text();
  try {
    const { code, message, details } = JSON.parse(text);
    if (typeof code === "string") return new APIError(response.status, code as ErrorCode, String(message), details);
  } catch {
    // not the app's own answer: a proxy's, for example
  }
  return new APIError(response.status, "unknown", text || \`status \${response.status}\`);
}
`;

const texts = `const textOf = (value: unknown): string => (value instanceof Date ? value.toISOString() : String(value));

const segment = (value: unknown): string => encodeURIComponent(textOf(value));

/** A parameter that may hold slashes. */
const segments = (value: unknown): string => textOf(value).split("/").map(encodeURIComponent).join("/");

function queryText(...sources: (Record<string, unknown> | undefined)[]): string {
  const query = new URLSearchParams();
  for (const source of sources) {
    for (const [name, value] of Object.entries(source ?? {})) {
      for (const item of Array.isArray(value) ? value : [value]) if (item !== undefined) query.append(name, textOf(item));
    }
  }
  const text = query.toString();
  return text === "" ? "" : \`?\${text}\`;
}

function defined(values: Record<string, unknown> | undefined): [string, string][] {
  return Object.entries(values ?? {}).flatMap(([name, value]) => (value === undefined ? [] : [[name, textOf(value)] as [string, string]]));
}

function headersOf(places: Places[]): globalThis.Headers {
  const headers = new Headers();
  for (const { headers: values } of places) {
    for (const [name, value] of Object.entries(values ?? {})) {
      for (const item of Array.isArray(value) ? value : [value]) if (item !== undefined) headers.append(name, textOf(item));
    }
  }
  const cookies = places.flatMap((place) => defined(place.cookies)).map(([name, value]) => \`\${name}=\${value}\`);
  if (cookies.length) headers.set("cookie", cookies.join("; ")); // a browser sends its own and ignores this one
  return headers;
}

/** What an object itself holds: an optional field may be named as something that every object inherits. */
const own = (object: object, name: string): any => (Object.hasOwn(object, name) ? (object as Record<string, unknown>)[name] : undefined);

/** The lines of a header. Those of a list arrive joined, cookies one by one. */
function headerLines(headers: globalThis.Headers, name: string): string[] {
  if (name.toLowerCase() === "set-cookie") return headers.getSetCookie?.() ?? [];
  const text = headers.get(name);
  return text === null ? [] : [text];
}

/** Takes the fields out of the headers: of several fields with one name each gets a line of its own. */
function readHeaders(headers: globalThis.Headers, fields: NonNullable<Call["responseHeaders"]>, result: object): void {
  const used = new Map<string, number>();
  for (const [field, [name, kind, isList = false]] of Object.entries(fields)) {
    const lines = headerLines(headers, name);
    const key = name.toLowerCase();
    const index = used.get(key) ?? 0;
    used.set(key, index + 1);
    const line = lines[key === "set-cookie" ? index : 0];
    if (line === undefined) continue;
    const items = key === "set-cookie" ? lines : line.split(",").map((item) => item.trim());
    const value = isList ? items.map((item) => headerValue(item, kind)) : headerValue(line, kind);
    Object.defineProperty(result, field, { value, enumerable: true, configurable: true, writable: true });
  }
}

function headerValue(text: string, kind: string): unknown {
  if (kind === "number") return Number(text);
  return kind === "boolean" ? text === "true" : text;
}

function base64url(text: string): string {
  const bytes = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
`;

const base = `class BaseClient {
  private readonly target: string;
  private readonly options: ClientOptions;

  constructor(target: string, options: ClientOptions) {
    this.target = target.replace(/\\/+$/, "");
    this.options = options;
  }

  /** @throws APIError for every answer that is none of success */
  async call<T = void>({ method, path, query, headers, cookies, body, responseHeaders = {} }: Call): Promise<T> {
    const auth = await this.auth();
    const sent = headersOf([auth, { headers, cookies }]);
    if (body !== undefined) sent.set("content-type", "application/json");
    const response = await this.fetch(path + queryText(auth.query, query), { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }, sent);
    if (!response.ok) throw await errorOf(response);
    const text = await response.text();
    const result = text === "" ? {} : JSON.parse(text);
    readHeaders(response.headers, responseHeaders, result);
    return result as T;
  }

  /** The answer as it is, errors included. */
  async raw(method: string, path: string, { query, headers, ...init }: RawInit): Promise<globalThis.Response> {
    const auth = await this.auth();
    return this.fetch(path + queryText(auth.query, query), { ...init, method }, headersOf([auth, { headers }]));
  }

  /** Resolves when the connection stands. Headers travel in the sub-protocol: browsers cannot set any. */
  async connect<T>({ path, query, headers }: Places & { path: string }): Promise<Inbox<T>> {
    const auth = await this.auth();
    const sent = Object.fromEntries([...defined(auth.headers), ...defined(headers)]);
    const protocols = ["encore-ws", ...(Object.keys(sent).length ? [\`encore.dev.headers.\${base64url(JSON.stringify(sent))}\`] : [])];
    const Socket = this.options.webSocket ?? (globalThis as unknown as { WebSocket?: SocketClass }).WebSocket;
    if (!Socket) throw new Error("there is no WebSocket here: give the client one in its options, as webSocket");
    const socket = new Socket(this.target.replace(/^http/, "ws") + path + queryText(auth.query, query), protocols);
    const inbox = new Inbox<T>(socket); // at once: the first message may come with the opening
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve());
      socket.addEventListener("error", () => reject(new Error(\`no connection to \${path}\`)));
    });
    return inbox;
  }

  private async auth(): Promise<Places> {
    const { auth } = this.options;
    const given: Auth | undefined = typeof auth === "function" ? await (auth as () => Auth | undefined | Promise<Auth | undefined>)() : auth;
    return given === undefined ? {} : placeAuth(given);
  }

  private fetch(path: string, init: RequestInit, headers: globalThis.Headers): Promise<globalThis.Response> {
    const { requestInit = {}, fetch = globalThis.fetch } = this.options;
    for (const [name, value] of Object.entries(requestInit.headers ?? {})) if (!headers.has(name)) headers.set(name, value);
    return fetch(this.target + path, { ...requestInit, ...init, headers });
  }
}
`;

const streams = `/** Messages as they arrive; kept until they are asked for. */
export class Inbox<T> {
  private readonly waiting: ((message: T | undefined) => void)[] = [];
  private readonly arrived: T[] = [];
  private closed = false;
  readonly socket: SocketLike;

  constructor(socket: SocketLike) {
    this.socket = socket;
    socket.addEventListener("message", (event: { data: unknown }) => {
      const message = JSON.parse(String(event.data)) as T;
      const next = this.waiting.shift();
      if (next) next(message);
      else this.arrived.push(message);
    });
    socket.addEventListener("close", () => {
      this.closed = true;
      for (const next of this.waiting.splice(0)) next(undefined);
    });
  }

  /** The next message; undefined once the stream has ended. */
  next(): Promise<T | undefined> {
    if (this.arrived.length) return Promise.resolve(this.arrived.shift());
    return this.closed ? Promise.resolve(undefined) : new Promise((resolve) => this.waiting.push(resolve));
  }

  async *all(): AsyncGenerator<T, void> {
    for (let message = await this.next(); message !== undefined; message = await this.next()) yield message;
  }
}

/** A stream that only the app sends on. */
export class StreamIn<Received> {
  protected readonly inbox: Inbox<Received>;

  constructor(inbox: Inbox<Received>) {
    this.inbox = inbox;
  }

  /** The next message; undefined once the stream has ended. */
  recv(): Promise<Received | undefined> {
    return this.inbox.next();
  }

  [Symbol.asyncIterator](): AsyncGenerator<Received, void> {
    return this.inbox.all();
  }

  close(): void {
    this.inbox.socket.close();
  }
}

/** A stream that both sides send on. */
export class StreamInOut<Sent, Received> extends StreamIn<Received> {
  send(message: Sent): void {
    this.inbox.socket.send(JSON.stringify(message));
  }
}

/** A stream that only the client sends on; the app may answer once, at the end. */
export class StreamOut<Sent, Answer> {
  private readonly inbox: Inbox<Answer>;

  constructor(inbox: Inbox<Answer>) {
    this.inbox = inbox;
  }

  send(message: Sent): void {
    this.inbox.socket.send(JSON.stringify(message));
  }

  /** The app's answer; undefined when it ended the stream without one. */
  response(): Promise<Answer | undefined> {
    return this.inbox.next();
  }

  close(): void {
    this.inbox.socket.close();
  }
}
`;

export const clientRuntime = [types, errors, texts, base, streams].join("\n");
