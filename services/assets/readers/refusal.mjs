// Why no text comes out of a file, in a word of readable.ts.
export class Refusal extends Error {
  constructor(word) {
    super(word);
    this.word = word;
  }
}

/** Of a document; vectors takes 500,000. */
const TEXT_MAX_CHARS = 480_000;

/** Gathers a text and refuses to let it grow too long. */
export class Text {
  #parts = [];
  #chars = 0;

  add(part) {
    this.#chars += part.length;
    if (this.#chars > TEXT_MAX_CHARS) throw new Refusal("too_much_text");
    this.#parts.push(part);
  }

  toString() {
    return this.#parts.join("");
  }
}

/** The text of bytes that are one: UTF-8, UTF-16 where a mark says so, else as Windows wrote western languages. NUL is none. */
export function decode(bytes) {
  const mark = bytes.length > 1 ? bytes.readUInt16BE(0) : 0;
  const encodings = mark === 0xfffe ? ["utf-16le"] : mark === 0xfeff ? ["utf-16be"] : ["utf-8", "windows-1252"];
  for (const encoding of encodings) {
    try {
      return new TextDecoder(encoding, { fatal: true }).decode(bytes).replaceAll("\0", "");
    } catch {
      // The next.
    }
  }
  throw new Refusal("damaged");
}

/** A line of words that stays one, whatever Markdown would see in its first character. */
export function asWords(line) {
  return line.replace(/^(\s*)([#>|`~=*+-])/, "$1\\$2");
}
