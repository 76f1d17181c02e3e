// JSON columns: as JSON.parse reads them, but integers beyond 2^53 are BigInts (N-2), which JSON.parse would round.
import { JsonReader } from "../schema/json-reader";

const longNumber = /\d{16}/;
const OBJECT = 123;
const ARRAY = 91;
const QUOTE = 34;
const COMMA = 44;
const words: Record<number, [string, unknown]> = { 116: ["true", true], 102: ["false", false], 110: ["null", null] };

/** Reads a json or jsonb column's text. */
export function parseJsonColumn(text: string): unknown {
  return longNumber.test(text) ? read(new JsonReader(text)) : (JSON.parse(text) as unknown);
}

function read(reader: JsonReader): unknown {
  const ahead = reader.peek();
  if (ahead === QUOTE) return reader.string();
  if (ahead === OBJECT) return readObject(reader);
  if (ahead === ARRAY) return readArray(reader);
  const word = words[ahead];
  if (!word) return reader.number();
  reader.word(word[0]);
  return word[1];
}

function readArray(reader: JsonReader): unknown[] {
  const elements: unknown[] = [];
  reader.pos++;
  if (reader.peek() === ARRAY + 2) {
    reader.pos++;
    return elements;
  }
  for (;;) {
    elements.push(read(reader));
    const more = reader.peek() === COMMA;
    reader.pos++;
    if (!more) return elements;
  }
}

function readObject(reader: JsonReader): Record<string, unknown> {
  const entries: [string, unknown][] = [];
  reader.pos++;
  if (reader.peek() === OBJECT + 2) {
    reader.pos++;
    return {};
  }
  for (;;) {
    reader.peek();
    const key = reader.string();
    reader.peek();
    reader.pos++;
    entries.push([key, read(reader)]);
    const more = reader.peek() === COMMA;
    reader.pos++;
    if (!more) return Object.fromEntries(entries);
  }
}
