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

  constructor(private readonly model: AppModel, private readonly newDecimal: NewDecimal) {}

  of(endpoint: EndpointModel): StreamCodecs {
    let codecs = this.known.get(endpoint);
    if (!codecs) {
      const incoming = endpoint.protocol === "streamOut" ? null : endpoint.request;
      codecs = { toServer: this.compile(incoming), toClient: this.compile(endpoint.response) };
      this.known.set(endpoint, codecs);
    }
    return codecs;
  }

  private compile(schema: Schema | null): MessageCodec | null {
    return schema ? compileMessageCodec(this.model, schema, this.newDecimal) : null;
  }
}
