// What the handler of a message receives, and what `currentRequest()` tells of it: fresh values for each that asks.
import { LARGE_CHARS, type MessageCodec } from "../schema";
import { addLateFields } from "../schema/late-fields";

type Values = Record<string, unknown>;

export class MessagePayload {
  private decoded: Values | undefined;
  private names: readonly string[] | undefined;

  constructor(
    private readonly text: string,
    private readonly codec: Pick<MessageCodec, "decode" | "decodeLarge">,
  ) {}

  /** Decodes the message, a large one in slices. Rejects with DecodeError when it does not fit its type. */
  async read(): Promise<void> {
    const { text, codec } = this;
    const isLarge = text.length > LARGE_CHARS;
    this.decoded = isLarge ? await codec.decodeLarge(text) : codec.decode(text);
    if (isLarge) this.names = Object.keys(this.decoded);
  }

  /** The first call gets what was read. */
  values(): Values {
    const { decoded } = this;
    this.decoded = undefined;
    return decoded ?? this.codec.decode(this.text);
  }

  /** What `parsedPayload` is: the SDK takes it whether or not the app looks at it. */
  told(): Values {
    if (!this.names) return this.codec.decode(this.text);
    const told: Values = {};
    addLateFields(told, this.names, () => this.codec.decode(this.text));
    return told;
  }
}
