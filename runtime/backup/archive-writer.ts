// Writes a backup file: entries one after the other, at the pace of the disk. It grows under another name and gets its own
// when it is whole and on the disk, so that a backup that broke off is never taken for one.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { pack, type Pack } from "tar-stream";

/** Nobody but its owner may read what holds everybody's data. */
const FILE_MODE = 0o600;

export class ArchiveWriter {
  readonly #pack: Pack = pack();
  readonly #file = createHash("sha256");
  readonly #written: Promise<void>;
  readonly #draft: string;

  constructor(private readonly path: string) {
    this.#draft = `${path}.part`;
    this.#written = pipeline(this.#pack, createGzip(), createWriteStream(this.#draft, { mode: FILE_MODE }));
    this.#written.catch(() => undefined); // told to whoever writes or finishes
  }

  async add(name: string, bytes: Uint8Array): Promise<void> {
    await this.addStream(name, bytes.byteLength, [bytes]);
  }

  /** @throws Error when `chunks` have not `size` bytes together */
  async addStream(name: string, size: number, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    const hash = createHash("sha256");
    const entry = this.#pack.entry({ name, size, mode: FILE_MODE });
    const ended = Promise.race([once(entry, "finish"), this.#written]);
    ended.catch(() => undefined);
    let seen = 0;
    for await (const chunk of chunks) {
      seen += chunk.byteLength;
      if (seen > size) throw new Error(`${name} grew while it was read`);
      hash.update(chunk);
      if (!entry.write(chunk)) await Promise.race([once(entry, "drain"), this.#written]);
    }
    if (seen !== size) throw new Error(`${name} shrank while it was read`);
    entry.end(undefined);
    await ended;
    this.#file.update(`${name}\0${size}\0${hash.digest("hex")}\n`);
  }

  /** Of all entries so far. */
  checksum(): string {
    return this.#file.copy().digest("hex");
  }

  /** The file is whole, on the disk and under its name. */
  async finish(): Promise<void> {
    this.#pack.finalize();
    await this.#written;
    const draft = await open(this.#draft, "r+");
    await draft.sync().finally(() => draft.close());
    await rename(this.#draft, this.path);
  }

  /** After an error: nothing is left of it. */
  async abandon(): Promise<void> {
    this.#pack.destroy(new Error("given up"));
    await this.#written.catch(() => undefined);
    await rm(this.#draft, { force: true });
  }
}
