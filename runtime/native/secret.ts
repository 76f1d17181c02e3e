// The native Secret (13.3). The value is held in a private field, so that printing the object shows nothing.

export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value; static for the life of the process. */
  cached(): string {
    return this.#value;
  }
}
