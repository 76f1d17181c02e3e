// Keeping a file: its bytes go into the bucket first, then one transaction makes it a file of the organisation, or the next
// version of one, with the event that says so and the job that reads its text. What breaks off before that leaves a row of
// assets.upload, by which its bytes are removed: at once, or by the upkeep.
import { cfg } from "../../config";
import { newId } from "../../db/ids";
import { withTenant, type Tx } from "../../db/tenant";
import { assetUploaded } from "../../events/catalog/assets";
import { emit } from "../../events/outbox";
import { idempotencyKey } from "../../queues/conventions";
import { enqueue } from "../../queues/enqueue";
import { actorOf, type Principal } from "../../security/principal";
import { logger } from "../../telemetry/logger";
import { errors } from "./errors";
import { extractJob, removeJob } from "./jobs";
import { mediaTypeOf } from "./media-type";
import { uploadPlaces } from "./places";
import { fateOf, isOfTheMoment } from "./readable";
import { receive, tooLarge, type Received } from "./receive";
import { lookForRoom, throwIfOver } from "./room";
import {
  assetFindByName,
  assetPut,
  contentFindByHash,
  contentInsert,
  usageAdd,
  usageLock,
  versionInsert,
  type AssetStatus,
  type Usage,
} from "./store/assets";
import { uploadDelete } from "./store/uploads";

export interface NewFile {
  /** What the file is to its owner. One file per organisation and name: the same name again is its next version. */
  name: string;
  source: AsyncIterable<Buffer>;
  /** As the sender announced it, if they did. */
  bytes?: number | undefined;
}

export interface UploadedAsset {
  id: string;
  version: number;
  status: AssetStatus;
  mediaType: string;
  bytes: number;
  /** Hexadecimal. */
  sha256: string;
  documentId?: string;
}

/**
 * Keeps a file. The same bytes under the same name change nothing; the same bytes under another name are kept once.
 * @throws APIError file_too_large, file_empty, storage_full, uploads_waiting
 */
export async function uploadAsset(principal: Principal, file: NewFile): Promise<UploadedAsset> {
  const { tenantId } = principal;
  const { fileBytesMax: bytesMax } = cfg.assets;
  if ((file.bytes ?? 0) > bytesMax) throw tooLarge(bytesMax);
  const place = uploadPlaces.take(tenantId);
  const id = newId();
  try {
    await place.ours(() => lookForRoom(principal, 0));
    const received = await receive({ tenantId, id, bytesMax }, file.source, place);
    const mediaType = await mediaTypeOf(received.sample, file.name, received.isText);
    return await withTenant(principal, (tx) => commit(tx, principal, { name: file.name, mediaType, received }));
  } catch (error) {
    await withTenant(principal, (tx) => discard(tx, principal, id)).catch((cause: unknown) =>
      logger("assets").warn({ err: cause, uploadId: id }, "an upload that failed is left to the upkeep"),
    );
    throw error;
  } finally {
    place.leave();
  }
}

/** Ends an upload that becomes nothing; its bytes go by a job. */
async function discard(tx: Tx, { tenantId }: Principal, id: string): Promise<void> {
  const parts = await uploadDelete(tx, tenantId, id);
  if (parts !== undefined) await enqueue(tx, removeJob, { stored: [{ id, parts }] });
}

interface Arrived {
  name: string;
  mediaType: string;
  received: Received;
}

async function commit(tx: Tx, principal: Principal, arrived: Arrived): Promise<UploadedAsset> {
  const { name, mediaType, received } = arrived;
  const { tenantId } = principal;
  const usage = await usageLock(tx, tenantId);
  const known = await assetFindByName(tx, tenantId, name);
  const sha256 = received.sha256.toString("hex");
  const shown = { mediaType, bytes: received.bytes, sha256 };
  if (known?.sha256 === sha256 && known.mediaType === mediaType && !isOfTheMoment(known.reason)) {
    await discard(tx, principal, received.id);
    const { id, version, status, documentId } = known;
    return { id, version, status, ...shown, ...(documentId === null ? {} : { documentId }) };
  }
  const contentId = await keepContent(tx, principal, received, usage);
  const { status, reason } = fateOf(mediaType, name);
  const asset = { tenantId, id: known?.id ?? newId(), name, version: (known?.version ?? 0) + 1, status, reason };
  await assetPut(tx, asset);
  const { id, version } = asset;
  const createdBy = actorOf(principal);
  await versionInsert(tx, { tenantId, assetId: id, version, contentId, mediaType, createdBy });
  await emit(tx, assetUploaded, { assetId: id, assetVersion: version, name, ...shown }, about(id));
  if (status === "pending")
    await enqueue(tx, extractJob, { assetId: id, assetVersion: version }, { dedupeKey: idempotencyKey(id, version) });
  const documentId = known?.documentId ?? null;
  return { id, version, status, ...shown, ...(documentId === null ? {} : { documentId }) };
}

export const about = (aggregateId: string): { aggregateType: string; aggregateId: string } => ({
  aggregateType: "asset",
  aggregateId,
});

/** The content of these bytes: what the tenant has of them, or what has arrived. Counts the version that is to follow. */
async function keepContent(tx: Tx, principal: Principal, received: Received, usage: Usage): Promise<string> {
  const { tenantId } = principal;
  const same = await contentFindByHash(tx, tenantId, received.sha256);
  const more = { files: 1, bytes: same === undefined ? received.bytes : 0 };
  throwIfOver(usage, more);
  usageAdd(tx, tenantId, more);
  if (same !== undefined) {
    await discard(tx, principal, received.id);
    return same.id;
  }
  const { id, sha256, bytes, parts } = received;
  // Whoever ended it meanwhile took it for abandoned, and its bytes go.
  if ((await uploadDelete(tx, tenantId, id)) === undefined) throw errors.upload_broken_off();
  await contentInsert(tx, { id, tenantId, sha256, bytes, parts });
  return id;
}
