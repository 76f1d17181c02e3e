// The native BodyReader (contract R-3): feeds a request's body to the SDK's RawRequest, piece by piece, and stops
// while the reader has not asked for more.
import type { Readable } from "node:stream";

type Push = (chunk: Buffer | null) => boolean;
type Destroy = (error: Error) => void;

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
    this.#push = push;
    this.#destroy = destroy;
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
    body.on("error", (error) => this.#fail(error));
    body.on("close", () => this.#fail(new Error("the connection was closed")));
  }

  #chunk(chunk: Buffer): void {
    if (this.#ended) return;
    this.#received += chunk.length;
    if (this.#limit !== null && this.#received > this.#limit) {
      this.#fail(new Error("length limit exceeded"));
      return;
    }
    if (!this.#push!(chunk)) this.#body!.pause();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#push!(null);
  }

  #fail(error: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#body!.resume();
    this.#destroy!(error);
  }
}
