// The native Secret (13.3). The value is held in a private field, so that printing the object shows nothing.

export class Secret {
  readonly #read: () => string;

  /** `read` gives the value, or throws when there is none and none may be assumed. */
  constructor(read: () => string) {
    this.#read = read;
  }

  /** The value; static for the life of the process. */
  cached(): string {
    return this.#read();
  }
}
