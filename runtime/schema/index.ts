// Schemas of the model compiled into codecs. The http, pubsub and stream parts use these; nothing here knows them.
import type { AppModel, Schema } from "../model";
import { asPayload, compileFields, writeBounded, type WriteBound } from "./encoder";
import { JsonDecoderCompiler, type NewDecimal } from "./json-decoder";
import { readerOf } from "./json-reader";
import { UNPACED, whole, type Pace } from "./pace";
import { ShapeResolver, type ShapeField } from "./shape";
import { nowOrLater, readInSlices } from "./slices";

export { DecodeError, EncodeError } from "./errors";
export { encodeValue, toPlain } from "./encoder";
export type { WriteBound } from "./encoder";
export { LARGE_CHARS } from "./slices";
export type { NewDecimal } from "./json-decoder";

export interface MessageCodec {
  /** Reads a JSON text at once. Throws DecodeError. */
  decode(message: string | Buffer): Record<string, unknown>;
  /** The same in slices, for one longer than LARGE_CHARS. Rejects with DecodeError. */
  decodeLarge(message: string | Buffer): Promise<Record<string, unknown>>;
  /** The JSON text of a message: declared fields only. Throws EncodeError. */
  encode(value: unknown): string;
  /** The same, of what is not more than may be written in one go. */
  encodeBounded(value: unknown, bound: WriteBound): string;
  /** The same, in slices where there is much to write. Throws or rejects with EncodeError. */
  encodeSoon(value: unknown): string | Promise<string>;
}

/**
 * Compiles the codec of a message type: topics and streams. `newDecimal` makes the SDK's Decimal. A message has the
 * fields that `travels` lets through, by default all.
 */
export function compileMessageCodec(
  model: Pick<AppModel, "decls">,
  schema: Schema,
  newDecimal: NewDecimal,
  travels: (field: ShapeField) => boolean = () => true,
): MessageCodec {
  const struct = new ShapeResolver(model.decls).struct(schema);
  if (!struct) throw new Error("a message type has to be an object");
  const fields = struct.fields.filter(travels);
  const decoder = new JsonDecoderCompiler(newDecimal).struct({ kind: "struct", fields });
  const encoder = compileFields(fields.map((f) => f.name));
  return {
    encode: (value) => whole(encoder(asPayload(value), UNPACED)),
    encodeBounded: (value, bound) => {
      const payload = asPayload(value);
      return writeBounded((pace) => encoder(payload, pace), bound);
    },
    encodeSoon: (value) => {
      const payload = asPayload(value);
      return nowOrLater((pace: Pace) => encoder(payload, pace));
    },
    decode: (message) => whole(decoder(readerOf(message))),
    decodeLarge: (message) =>
      new Promise((done, failed) => readInSlices(message, (reader) => decoder(reader), { done, failed })),
  };
}
