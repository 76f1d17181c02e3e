// The native ResponseWriter (contract R-4): what the SDK's RawResponse writes to. The head is only stored; it
// leaves with the first piece of body or with the end.

/** Where a raw response goes. */
export interface RawSink {
  /** Sends the head. Called once. */
  head(status: number, headers: string[]): void;
  /** Where the client has left, `done` waits for the end of the request, and gets an error. */
  write(chunk: Buffer, done: (error?: Error) => void): void;
  end(chunk: Buffer | undefined, done: () => void): void;
  /** Sends what was made so far. */
  flush(): void;
  /** Answers in place of a head that cannot be sent; later writes go nowhere. */
  fail(problem: string): void;
}

export type RawHeaders = readonly string[] | Record<string, string | number | readonly string[]>;
type Callback = ((error?: Error) => void) | null;

/** Names and values in turn, or what is wrong with them: values that napi.d.cts does not allow. */
function flatten(headers: RawHeaders): string[] | string {
  if (Array.isArray(headers)) return [...(headers as readonly string[])];
  const out: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    for (const item of Array.isArray(value) ? value : [value]) {
      if (typeof item === "string") out.push(name, item);
      else if (typeof item === "number") out.push(name, String(Math.trunc(item)));
      else return `the value of header ${name} must be a string, a number or an array of strings`;
    }
  }
  return out;
}

export class ResponseWriter {
  #status = 200;
  #headers: string[] | string = [];
  #state: "waiting" | "sending" | "done" = "waiting";
  readonly #sink: RawSink;

  constructor(sink: RawSink) {
    this.#sink = sink;
  }

  /** Whether the head has left: from then on an error cannot be answered any more. */
  get started(): boolean {
    return this.#state !== "waiting";
  }

  get ended(): boolean {
    return this.#state === "done";
  }

  /** Never throws: the SDK calls this where an exception would end the process. A bad head becomes the answer. */
  writeHead(status: number, headers: RawHeaders): void {
    if (this.#state !== "waiting") return;
    const isStatus = Number.isInteger(status) && status >= 100 && status <= 999;
    this.#headers = isStatus ? flatten(headers) : "invalid status code";
    this.#status = status;
  }

  writeBody(chunk: Buffer, callback?: Callback): void {
    this.#open();
    if (this.#state === "sending") this.#sink.write(chunk, (error) => callback?.(error));
  }

  writeBodyMulti(chunks: readonly Buffer[], callback?: Callback): void {
    this.writeBody(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks), callback);
  }

  /** Ends the response. The callback follows without a body too, or `finish` would never come (officially it does not, R-4b). */
  close(chunk?: Buffer | null, callback?: Callback): void {
    if (this.#state === "done") return;
    this.#open();
    this.#state = "done";
    this.#sink.end(chunk ?? undefined, () => callback?.());
  }

  /** Sends the head without waiting for a body. */
  flush(): void {
    if (this.#state === "done") return;
    this.#open();
    this.#sink.flush();
  }

  /** Takes the writer out of use, for an answer that is not the handler's. */
  abandon(): void {
    this.#state = "done";
  }

  #open(): void {
    if (this.#state !== "waiting") return;
    this.#state = "sending";
    if (typeof this.#headers === "string") this.#sink.fail(this.#headers);
    else this.#sink.head(this.#status, this.#headers);
  }
}
