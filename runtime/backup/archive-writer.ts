// Writes a backup file: entries one after the other, at the pace of the disk. It grows under another name and gets its own
// when it is whole and on the disk, so that a backup that broke off is never taken for one. Neither name is ever one that
// was there before: what somebody else has put there is neither followed nor replaced.
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createWriteStream, rmSync } from "node:fs";
import { link, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { pack, type Pack } from "tar-stream";
import { InfraError } from "../infra";

/** Nobody but its owner may read what holds everybody's data. */
const FILE_MODE = 0o600;

const ENDING_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** What file systems say that know no second name of a file: those of network shares, of sticks. */
const LACKS_LINKS: ReadonlySet<string | undefined> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

async function sync(path: string, flags: "r" | "r+"): Promise<void> {
  const opened = await open(path, flags);
  await opened.sync().finally(() => opened.close());
}

export class ArchiveWriter {
  readonly #pack: Pack = pack();
  readonly #file = createHash("sha256");
  readonly #written: Promise<void>;
  readonly #draft: string;

  constructor(private readonly path: string) {
    this.#draft = join(dirname(path), `.${basename(path)}.${randomUUID()}.part`);
    const file = createWriteStream(this.#draft, { flags: "wx", mode: FILE_MODE });
    this.#written = pipeline(this.#pack, createGzip(), file).catch((error: unknown) => {
      if (codeOf(error) !== "ENOENT") throw error;
      throw new InfraError(`the folder ${dirname(path)} does not exist: make it, or name a file in another one`);
    });
    this.#written.catch(() => undefined); // told to whoever writes or finishes
    for (const signal of ENDING_SIGNALS) process.once(signal, this.#end);
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
    await sync(this.#draft, "r+");
    await this.#giveName();
    await sync(dirname(this.path), "r");
    this.#forgetSignals();
  }

  async #giveName(): Promise<void> {
    try {
      await link(this.#draft, this.path).catch(async (error: unknown) => {
        if (!LACKS_LINKS.has(codeOf(error))) throw error;
        // The name is taken first, so that what the draft replaces is this backup's own.
        await (await open(this.path, "wx", FILE_MODE)).close();
        await rename(this.#draft, this.path);
      });
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
      throw new InfraError(`${this.path} has come into being meanwhile: name a new file, a backup replaces none`);
    }
    await rm(this.#draft, { force: true });
  }

  /** After an error: nothing is left of it. */
  async abandon(): Promise<void> {
    this.#pack.destroy(new Error("given up"));
    await this.#written.catch(() => undefined);
    await rm(this.#draft, { force: true });
    this.#forgetSignals();
  }

  readonly #end = (signal: NodeJS.Signals): void => {
    rmSync(this.#draft, { force: true });
    this.#forgetSignals();
    process.kill(process.pid, signal);
  };

  #forgetSignals(): void {
    for (const signal of ENDING_SIGNALS) process.removeListener(signal, this.#end);
  }
}
