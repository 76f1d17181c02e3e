// Lines whose message and field names are known before anything happens: the two that every request writes. What
// never changes is text beforehand, in the place that sorting gives it; a line then costs its values (bench/http).
import { encodeValue, quote } from "../schema/encoder";
import type { Fields } from "./request-fields";

export interface LineShape {
  level: number;
  message: string;
  /** Fields that are the same in every line. */
  fixed: Fields;
  /** Fields whose values come with each line; one that is `undefined` is left out. */
  names: readonly string[];
}

/** Makes a line of the values of `names`, in their order. */
export type LineOf = (values: readonly unknown[], atMs: number) => string;

const SECOND_MS = 1000;
let second = Number.NaN;
let upToSecond = "";

/** Like `Date.toISOString`, which costs more than the rest of a line: the part up to the second is made once a second. */
export function isoTime(ms: number): string {
  const whole = Math.floor(ms / SECOND_MS);
  if (whole !== second) {
    second = whole;
    upToSecond = new Date(whole * SECOND_MS).toISOString().slice(0, -4);
  }
  return `${upToSecond}${String(ms - whole * SECOND_MS).padStart(3, "0")}Z`;
}

/** How the JSON formats call what every line has. */
export interface StandardKeys {
  time: string;
  level: string;
  message: string;
  levels: readonly string[];
}

interface Slot {
  /** Text before the value: what is fixed, and the value's own key. */
  before: string;
  key: string;
  /** Place among the values; -1 for the time. */
  index: number;
}

/** The JSON line of a shape: sorted keys, as formatJson makes it of an entry. */
export function prepareJson({ level, message, fixed, names }: LineShape, keys: StandardKeys): LineOf {
  const texts: Fields = { ...fixed, [keys.level]: keys.levels[level], [keys.message]: message };
  const slots: Slot[] = [];
  let text = "";
  for (const key of [...Object.keys(texts), ...names, keys.time].sort()) {
    const start = `,${quote(key)}:`;
    if (Object.hasOwn(texts, key)) {
      text += start + encodeValue(texts[key]);
    } else {
      slots.push({ before: text, key: start, index: names.indexOf(key) });
      text = "";
    }
  }
  return (values, atMs) => {
    let line = "";
    for (const { before, key, index } of slots) {
      line += before;
      if (index < 0) line += `${key}"${isoTime(atMs)}"`;
      else if (values[index] !== undefined) line += key + encodeValue(values[index]);
    }
    return `{${(line + text).slice(1)}}\n`;
  };
}
