// JSON columns: as JSON.parse reads them, but integers beyond 2^53 are BigInts (N-2), which JSON.parse would round.
import { JsonReader } from "../schema/json-reader";

/** What JSON.parse reads otherwise: long integers and numbers beyond all floats, halves of surrogate pairs. */
const special = /\d{16}|\d[eE][+-]?\d\d|\\u[dD][89a-fA-F]/;
const OBJECT = 123;
const ARRAY = 91;
const QUOTE = 34;
const COMMA = 44;
const words: Record<number, [string, unknown]> = { 116: ["true", true], 102: ["false", false], 110: ["null", null] };

/** Reads a json or jsonb column's text. @throws JsonColumnProblem */
export function parseJsonColumn(text: string): unknown {
  if (!special.test(text)) return JSON.parse(text) as unknown;
  try {
    return read(new JsonReader(text));
  } catch (error) {
    throw new JsonColumnProblem(error instanceof Error ? error.message : String(error));
  }
}

/** `problem at line 1 column 5`: JSON that Postgres takes and the official runtime does not. */
export class JsonColumnProblem extends Error {
  override name = "JsonColumnProblem";
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
