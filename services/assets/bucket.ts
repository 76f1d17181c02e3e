// Where the bytes are. A bucket takes and gives whole objects, so a file is several: parts of at most PART_BYTES, which is also
// all that an upload or a download holds of it in memory. Their names are ids alone: nothing that a person wrote is in one.
import { Bucket, ObjectNotFound } from "encore.dev/storage/objects";
import { commonErrors } from "../../security/common-errors";

const files = new Bucket("asset-files", { versioned: false });

export const PART_BYTES = 4 * 1024 * 1024;

/** Whose parts, by the id of the content that they make. */
export interface Stored {
  readonly tenantId: string;
  readonly id: string;
}

const nameOf = ({ tenantId, id }: Stored, part: number): string => `${tenantId}/${id}/${part}`;

/** Whatever a bucket could not do, it may do later; but what is not there stays away. */
async function reached<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (cause instanceof ObjectNotFound) throw cause;
    throw commonErrors.service_unavailable({ cause, retryAfterSeconds: 5 });
  }
}

/** Parts are numbered from 0; all but the last have PART_BYTES. Doing it again changes nothing. */
export async function putPart(of: Stored, part: number, bytes: Buffer): Promise<void> {
  await reached(files.upload(nameOf(of, part), bytes, { contentType: "application/octet-stream" }));
}

/**
 * The bytes from `first` to `last`, both of them included, a part at a time: the parts that they are in and no other. A bucket has
 * no way to ask for a piece of an object, so a part is the least that is fetched.
 */
export async function* readBytes(of: Stored, first: number, last: number): AsyncGenerator<Buffer> {
  for (let part = Math.floor(first / PART_BYTES); part <= Math.floor(last / PART_BYTES); part++) {
    const begin = part * PART_BYTES;
    const bytes = await reached(files.download(nameOf(of, part)));
    yield bytes.subarray(Math.max(0, first - begin), Math.min(bytes.length, last + 1 - begin));
  }
}

/** What is gone already is passed over, so that an attempt goes on where another one ended. */
export async function removeParts(of: Stored, parts: number): Promise<void> {
  for (let part = 0; part < parts; part++)
    await files.remove(nameOf(of, part)).catch((error: unknown) => {
      if (!(error instanceof ObjectNotFound)) throw error;
    });
}
