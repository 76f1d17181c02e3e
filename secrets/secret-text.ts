// A secret in memory. It shows itself to nobody who prints, logs or serialises it, only to who asks.
import { inspect } from "node:util";

const HIDDEN = "[secret]";

export class SecretText {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself: for the call it is meant for, at its last moment. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return HIDDEN;
  }
}
