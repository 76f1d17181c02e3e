// The fields of an object type as its reader needs them: by name, by the text of their keys, and which of them are required.
import { missingFields } from "./errors";
import type { JsonReader } from "./json-reader";
import { colon } from "./json-syntax";
import type { ShapeField } from "./shape";

/** Fields tracked in the bits of one number. */
const BITS = 31;
/** What stands where a field's index would: no key has been read, or one that the type does not have. */
export const NO_KEY = -1;
export const IGNORED = -2;

/** How far an object has been read. */
export interface StructProgress {
  target: Record<string, unknown>;
  /** The fields read, in bits; those beyond the bits. */
  seen: number;
  more: Set<number> | undefined;
  isFirst: boolean;
  /** The field that is expected next. */
  guess: number;
  /** The field whose value is ahead, NO_KEY or IGNORED. */
  index: number;
}

export class StructFields {
  readonly names: readonly string[];
  private readonly quoted: readonly string[];
  private readonly indexes: ReadonlyMap<string, number>;
  private readonly required: readonly number[];
  private readonly requiredBits: number;
  private readonly isLarge: boolean;

  constructor(fields: readonly ShapeField[]) {
    this.names = fields.map((f) => f.name);
    this.quoted = this.names.map((n) => JSON.stringify(n));
    this.indexes = new Map(this.names.map((n, i) => [n, i]));
    this.required = fields.flatMap((f, i) => (f.optional ? [] : [i]));
    this.requiredBits = this.required.reduce((bits, i) => (i < BITS ? bits | (1 << i) : bits), 0);
    this.isLarge = fields.length > BITS;
  }

  begin(target: Record<string, unknown>): StructProgress {
    const more = this.isLarge ? new Set<number>() : undefined;
    return { target, seen: 0, more, isFirst: true, guess: 0, index: NO_KEY };
  }

  /** Reads a key and its colon, and enters it. Keys in the order of the type are recognised without being read. */
  readKey(r: JsonReader, guess: number): number {
    const expected = this.quoted[guess];
    if (expected !== undefined && r.text.startsWith(expected, r.pos)) {
      r.pos += expected.length;
      colon(r);
      r.enter(this.names[guess]!);
      return guess;
    }
    const key = r.string();
    colon(r);
    r.enter(key);
    return this.indexes.get(key) ?? IGNORED;
  }

  /** Notes that a field was read; false when it had been before. */
  note(progress: StructProgress, index: number): boolean {
    if (index >= BITS) {
      if (progress.more!.has(index)) return false;
      progress.more!.add(index);
      return true;
    }
    const bit = 1 << index;
    if ((progress.seen & bit) !== 0) return false;
    progress.seen |= bit;
    return true;
  }

  /** Fails when a required field was not read. */
  checkComplete(r: JsonReader, { seen, more }: StructProgress): void {
    if ((seen & this.requiredBits) === this.requiredBits && !this.isLarge) return;
    const has = (i: number): boolean => (i < BITS ? (seen & (1 << i)) !== 0 : more!.has(i));
    const missing = this.required.filter((i) => !has(i)).map((i) => this.names[i]!);
    if (missing.length > 0) r.fail(missingFields(missing));
  }
}
