// A checksum of a set of items that does not depend on their order: the sum of their SHA-256 modulo 2^256. A table has no
// order of its own, and sorting by a text differs from server to server.
import { createHash } from "node:crypto";
import type { Digest } from "./archive-format";

const WORDS = 8;
const WORD = 2 ** 32;

export class SetDigest {
  #count = 0;
  /** Eight words of 32 bits, the lowest first; numbers, because a big integer for each row would cost more than its hash. */
  readonly #sum = new Array<number>(WORDS).fill(0);

  add(item: string | Uint8Array): void {
    const hash = createHash("sha256").update(item).digest();
    let carry = 0;
    for (let word = 0; word < WORDS; word++) {
      const total = (this.#sum[word] ?? 0) + hash.readUInt32LE(word * 4) + carry;
      carry = total >= WORD ? 1 : 0;
      this.#sum[word] = carry ? total - WORD : total;
    }
    this.#count++;
  }

  value(): Digest {
    const bytes = Buffer.alloc(WORDS * 4);
    this.#sum.forEach((word, at) => bytes.writeUInt32LE(word, at * 4));
    return { count: this.#count, sha256: bytes.toString("hex") };
  }
}
