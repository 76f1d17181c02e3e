// What travels in a stream endpoint's messages, in each direction (contract 5.2).
import type { AppModel, EndpointModel, Schema } from "../model";
import { compileMessageCodec, type MessageCodec, type NewDecimal } from "../schema";

export interface StreamCodecs {
  /** Client to server; null when clients send nothing. */
  toServer: MessageCodec | null;
  /** Server to client; null when the server sends nothing. */
  toClient: MessageCodec | null;
}

/** Compiled when a stream is first opened, then kept. */
export class StreamCodecCache {
  private readonly known = new Map<EndpointModel, StreamCodecs>();

  constructor(
    private readonly model: AppModel,
    private readonly newDecimal: NewDecimal,
  ) {}

  of(endpoint: EndpointModel): StreamCodecs {
    let codecs = this.known.get(endpoint);
    if (!codecs) {
      const incoming = endpoint.protocol === "streamOut" ? null : endpoint.request;
      codecs = { toServer: this.compile(incoming, ["httpStatus"]), toClient: this.compile(endpoint.response, []) };
      this.known.set(endpoint, codecs);
    }
    return codecs;
  }

  /** A message has the fields of a body: one placed in a header, a cookie or the query is no part of it (H-30, H-33). */
  private compile(schema: Schema | null, alsoBody: readonly string[]): MessageCodec | null {
    return schema
      ? compileMessageCodec(this.model, schema, this.newDecimal, ({ wire }) => !wire || alsoBody.includes(wire.in))
      : null;
  }
}
