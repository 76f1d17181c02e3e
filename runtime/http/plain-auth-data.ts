// Auth data whose fields are all texts, as most are: what its JSON text would be decoded to is known without making the
// text, which costs each request as much as the rest of its authentication (bench/http).
import { readKey } from "../schema/encoder";
import type { Payload } from "../schema/request-codec";
import type { Shape, Struct } from "../schema/shape";

/** A lone one is replaced on its way through JSON. */
const SURROGATE = /[\ud800-\udfff]/;

/** The texts a field may have; null = any. */
type Texts = ReadonlySet<string> | null;

/** undefined when values of `shape` are not simply texts. */
function textsOf(shape: Shape): Texts | undefined {
  switch (shape.kind) {
    case "string":
      return null;
    case "literal":
      return typeof shape.value === "string" ? new Set([shape.value]) : undefined;
    case "ref":
      return shape.target && textsOf(shape.target);
    case "union": {
      const all = new Set<string>();
      for (const texts of shape.of.map(textsOf)) {
        if (!texts) return undefined;
        for (const text of texts) all.add(text);
      }
      return all;
    }
    default:
      return undefined;
  }
}

/** Reads auth data of one declared type; null for what has to go through its JSON text. */
export type PlainReader = (payload: Payload) => Payload | null;

/** A reader for `struct`, or null when some field is not a text. A field that may be missing is not in the copy either. */
export function plainReader(struct: Struct): PlainReader | null {
  const fields = struct.fields.map((field) => ({
    name: field.name,
    isOptional: field.optional,
    texts: field.wire ? undefined : textsOf(field.shape),
  }));
  if (fields.some(({ name, texts }) => texts === undefined || name === "__proto__")) return null;
  fields.sort((a, b) => (a.name < b.name ? -1 : 1)); // as in the text, whose keys are sorted
  return (payload) => {
    let keys = 0;
    for (const _ in payload) keys++;
    const data: Payload = {};
    for (const { name, texts, isOptional } of fields) {
      const value = readKey(payload, name);
      if (value === undefined && isOptional && !(name in payload)) continue;
      keys--;
      if (typeof value !== "string" || SURROGATE.test(value) || (texts && !texts.has(value))) return null;
      data[name] = value;
    }
    return keys === 0 ? data : null;
  };
}
