// The parameter types that Postgres inferred for statements' texts: knowing them saves a round trip. They are
// declared when the text is sent again, so a value is never read as another type than it was written for.

const maxTexts = 1000;

export class ParameterTypes {
  readonly #types = new Map<string, number[]>();

  get(sql: string): number[] | undefined {
    const oids = this.#types.get(sql);
    if (!oids) return undefined;
    this.#types.delete(sql); // re-inserted: the map's order is by last use
    this.#types.set(sql, oids);
    return oids;
  }

  set(sql: string, oids: number[]): void {
    this.#types.delete(sql);
    this.#types.set(sql, oids);
    if (this.#types.size > maxTexts) {
      const [oldest] = this.#types.keys();
      if (oldest !== undefined) this.#types.delete(oldest);
    }
  }

  delete(sql: string): void {
    this.#types.delete(sql);
  }
}
