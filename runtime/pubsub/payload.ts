// What the handler of a message receives, and what `currentRequest()` tells of it: fresh values for each that asks.
import { LARGE_CHARS, type MessageCodec } from "../schema";
import { addLateFields, areLateFieldsRead } from "../schema/late-fields";

type Values = Record<string, unknown>;

export class MessagePayload {
  private decoded: Values | undefined;
  /** Of a large message. */
  private large: Values | undefined;

  constructor(
    private readonly text: string,
    private readonly codec: Pick<MessageCodec, "decode" | "decodeLarge">,
  ) {}

  /** Decodes the message, a large one in slices. Rejects with DecodeError when it does not fit its type. */
  async read(): Promise<void> {
    const { text, codec } = this;
    const isLarge = text.length > LARGE_CHARS;
    this.decoded = isLarge ? await codec.decodeLarge(text) : codec.decode(text);
    if (isLarge) this.large = areLateFieldsRead() ? await codec.decodeLarge(text) : this.later(this.decoded);
  }

  private later(decoded: Values): Values {
    const told: Values = {};
    addLateFields(told, Object.keys(decoded), () => this.codec.decode(this.text));
    return told;
  }

  /** The first call gets what was read. */
  values(): Values {
    const { decoded } = this;
    this.decoded = undefined;
    return decoded ?? this.codec.decode(this.text);
  }

  /** What `parsedPayload` is: the SDK takes it whether or not the app looks at it. That of a large message is made once. */
  told(): Values {
    return this.large ?? this.codec.decode(this.text);
  }
}
