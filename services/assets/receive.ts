// Taking a file's bytes in as they come: counted, hashed, looked at, and put into the bucket a part at a time. One part of it is
// in memory, in bytes of its own: pieces kept as they came would be as many objects as their sender makes of it.
import { createHash } from "node:crypto";
import type { TenantId } from "../../security/principal";
import { PART_BYTES, putPart } from "./bucket";
import { errors } from "./errors";
import { SAMPLE_BYTES, TextProbe } from "./media-type";
import { untilGivenUp, type Place } from "./places";
import { lookForRoom } from "./room";
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
async function keep({ tenantId, id }: Upload, part: number, bytes: Buffer): Promise<void> {
  if (part === 0) await uploadInsert({ tenantId }, id);
  else await uploadGrow({ tenantId }, id, part + 1);
  await putPart({ tenantId, id }, part, bytes);
}

/** @throws APIError file_too_large, file_empty, storage_full, uploads_waiting; and what the source throws */
export async function receive(upload: Upload, source: AsyncIterable<Buffer>, place: Place): Promise<Received> {
  const hash = createHash("sha256");
  const probe = new TextProbe();
  // All parts use it in turn: the bucket has done with one before the next begins.
  const part = Buffer.allocUnsafe(PART_BYTES);
  let sample = part.subarray(0, 0);
  let [bytes, parts, held] = [0, 0, 0];
  const flush = async (): Promise<void> => {
    if (parts === 0) sample = Buffer.from(part.subarray(0, Math.min(held, SAMPLE_BYTES)));
    if (held === PART_BYTES) await lookForRoom(upload, bytes);
    await keep(upload, parts++, part.subarray(0, held));
    held = 0;
  };
  for await (const chunk of untilGivenUp(source, place.signal)) {
    bytes += chunk.length;
    if (bytes > upload.bytesMax) throw tooLarge(upload.bytesMax);
    hash.update(chunk);
    probe.update(chunk);
    for (let at = 0; at < chunk.length;) {
      const copied = chunk.copy(part, held, at);
      at += copied;
      held += copied;
      if (held === PART_BYTES) await place.ours(flush);
    }
  }
  if (bytes === 0) throw errors.file_empty();
  if (held > 0) await place.ours(flush);
  return { id: upload.id, sha256: hash.digest(), bytes, parts, sample, isText: probe.isText() };
}
