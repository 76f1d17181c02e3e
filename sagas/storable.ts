// What a saga keeps of its input and of its steps' results: JSON, bounded.
import { storableJson } from "../db/storable-json";

const BYTES_MAX = 64 << 10;

/** Whether JSON text may be kept as it is. */
export const isStorable = (text: string): boolean =>
  Buffer.byteLength(text) <= BYTES_MAX && storableJson(text) === text;
