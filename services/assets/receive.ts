// Taking a file's bytes in as they come: counted, hashed, looked at, and put into the bucket a part at a time. At most one part
// of it is in memory beside the one on its way.
import { createHash } from "node:crypto";
import type { TenantId } from "../../security/principal";
import { PART_BYTES, putPart } from "./bucket";
import { errors } from "./errors";
import { SAMPLE_BYTES, TextProbe } from "./media-type";
import { uploadGrow, uploadInsert } from "./store/uploads";

export interface Received {
  /** Of the upload, and of the content if it becomes one. */
  id: string;
  sha256: Buffer;
  bytes: number;
  parts: number;
  /** The beginning. */
  sample: Buffer;
  isText: boolean;
}

export interface Upload {
  tenantId: TenantId;
  id: string;
  bytesMax: number;
}

export const tooLarge = (bytesMax: number): Error => errors.file_too_large({ facts: { bytesMax: String(bytesMax) } });

/** Notes the part before the bucket gets it: what is not noted, nobody would remove. */
async function keep({ tenantId, id }: Upload, part: number, chunks: readonly Buffer[]): Promise<void> {
  if (part === 0) await uploadInsert({ tenantId }, id);
  else await uploadGrow({ tenantId }, id, part + 1);
  await putPart({ tenantId, id }, part, Buffer.concat(chunks));
}

/** Cuts what comes into pieces that fit a part's end. */
function* piecesOf(chunk: Buffer, room: () => number): Generator<Buffer> {
  for (let at = 0; at < chunk.length;) {
    const piece = chunk.subarray(at, at + room());
    yield piece;
    at += piece.length;
  }
}

/** @throws APIError file_too_large, file_empty; and what the source throws */
export async function receive(upload: Upload, source: AsyncIterable<Buffer>): Promise<Received> {
  const hash = createHash("sha256");
  const probe = new TextProbe();
  let sample = Buffer.alloc(0);
  let [bytes, parts, held] = [0, 0, 0];
  let chunks: Buffer[] = [];
  const flush = async (): Promise<void> => {
    await keep(upload, parts++, chunks);
    [chunks, held] = [[], 0];
  };
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > upload.bytesMax) throw tooLarge(upload.bytesMax);
    hash.update(chunk);
    probe.update(chunk);
    if (sample.length < SAMPLE_BYTES) sample = Buffer.concat([sample, chunk.subarray(0, SAMPLE_BYTES - sample.length)]);
    for (const piece of piecesOf(chunk, () => PART_BYTES - held)) {
      chunks.push(piece);
      held += piece.length;
      if (held === PART_BYTES) await flush();
    }
  }
  if (bytes === 0) throw errors.file_empty();
  if (held > 0) await flush();
  return { id: upload.id, sha256: hash.digest(), bytes, parts, sample, isText: probe.isText() };
}
