// The native BodyReader (contract R-3): feeds a request's body to the SDK's RawRequest, piece by piece, and stops
// while the reader has not asked for more.
import { AsyncResource } from "node:async_hooks";
import type { Readable } from "node:stream";

type Push = (chunk: Buffer | null) => boolean;
type Destroy = (error: Error) => void;

const hostErrors = new WeakSet<object>();

/** Whether a request was ended by the host, not by its handler. */
export const isHostError = (error: unknown): boolean =>
  typeof error === "object" && error !== null && hostErrors.has(error);

function hostError(message: string, code?: string): Error {
  const error = Object.assign(new Error(message), code === undefined ? {} : { code });
  hostErrors.add(error);
  return error;
}

export class BodyReader {
  #push: Push | undefined;
  #destroy: Destroy | undefined;
  #received = 0;
  #flowing = false;
  #ended = false;
  readonly #body: Readable | null;
  readonly #limit: number | null;

  /** @param limit bytes; null = none. A larger body is an error of the stream (H-57). */
  constructor(body: Readable | null, limit: number | null) {
    this.#body = body;
    this.#limit = limit;
  }

  start(push: Push, destroy: Destroy): void {
    if (this.#push) throw new Error("body reader already started");
    // What the handler does when something arrives belongs to its request, not to the connection.
    this.#push = AsyncResource.bind(push);
    this.#destroy = AsyncResource.bind(destroy);
  }

  read(): void {
    if (!this.#push) throw new Error("body reader not started");
    if (this.#ended) return;
    const body = this.#body;
    if (!body) return this.#end();
    if (this.#flowing) {
      body.resume();
      return;
    }
    this.#flowing = true;
    body.on("data", (chunk: Buffer) => this.#chunk(chunk));
    body.on("end", () => this.#end());
    body.on("error", () => this.abort());
    body.on("close", () => {
      if (!this.#ended) this.abort();
    });
  }

  /** The client has left: what it sent will not become whole, and nobody waits for what is made of it. */
  abort(): void {
    this.#ended = true;
    this.#destroy?.(hostError("aborted", "ECONNRESET"));
  }

  /** Throws away what was not read, so that the connection gets to its next request. */
  drop(): void {
    this.#ended = true;
    this.#body?.resume();
  }

  #chunk(chunk: Buffer): void {
    if (this.#ended) return;
    this.#received += chunk.length;
    if (this.#limit !== null && this.#received > this.#limit) {
      this.#ended = true;
      this.#body!.resume();
      this.#destroy!(hostError("length limit exceeded"));
      return;
    }
    if (!this.#push!(chunk)) this.#body!.pause();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#push!(null);
  }
}
