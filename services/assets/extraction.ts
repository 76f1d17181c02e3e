// From a file to a document: the job's work. What a file's own bytes decide (damaged, encrypted, too complex) is told at the first
// attempt and ends it; what is of the machine or of another service is tried again.
import { APIError, ErrCode } from "encore.dev/api";
import { withTenant, type Tx } from "../../db/tenant";
import { reasonOf } from "../../security/errors";
import type { TenantId } from "../../security/principal";
import { wellFormed } from "../../security/well-formed";
import { readBytes } from "./bucket";
import { documentSource, putDocument, removeDocuments, sourcesOf, type Acting } from "./document";
import { readerOf, type Failure, type Reader } from "./readable";
import { readText, type ReaderAnswer } from "./reader-process";
import { assetFind, assetSettle, contentOfVersion, type AssetContent, type AssetStatus } from "./store/assets";

export interface ExtractedVersion {
  assetId: string;
  assetVersion: number;
}

/**
 * Resolves with what became of it; "gone" when there is no such version to read any more. The file may go while its text is read,
 * and the job of its deletion be over before its document is there: then that goes here, whichever attempt made it.
 */
export async function extractAsset(
  acting: Acting,
  version: ExtractedVersion,
  signal: AbortSignal,
): Promise<AssetStatus | "gone"> {
  const became = await extract(acting, version, signal);
  if (became === "gone" && (await assetFind(acting, version.assetId)) === undefined)
    await removeDocuments(acting, sourcesOf(version.assetId));
  return became;
}

async function extract(acting: Acting, version: ExtractedVersion, signal: AbortSignal): Promise<AssetStatus | "gone"> {
  const { assetId, assetVersion } = version;
  const asset = await assetFind(acting, assetId);
  const content = await contentOfVersion(acting, assetId, assetVersion);
  if (asset?.version !== assetVersion || content === undefined) return "gone";
  // Done by an attempt before this one, whose process ended before it could say so.
  if (asset.status !== "pending") return asset.status;
  const reader = readerOf(content.mediaType);
  if (reader === undefined) return settle(acting, version, { failure: "wrong_type" });
  const read = await readContent(acting, reader, content, signal);
  if ("failure" in read) return settle(acting, version, read);
  return ingest(acting, version, content, read.text);
}

async function readContent(
  { tenantId }: Acting,
  reader: Reader,
  { contentId, bytes }: AssetContent,
  signal: AbortSignal,
): Promise<ReaderAnswer> {
  return readText(reader, { bytes, source: readBytes({ tenantId, id: contentId }, 0, bytes - 1) }, { signal });
}

/** Words of vectors' that are about the text, not about the moment. */
const REFUSED_TEXTS: Readonly<Record<string, Failure>> = { document_too_complex: "too_complex" };

async function ingest(
  acting: Acting,
  version: ExtractedVersion,
  { name, mediaType }: AssetContent,
  text: string,
): Promise<AssetStatus | "gone"> {
  const { assetId, assetVersion } = version;
  const source = documentSource(assetId, name);
  const metadata = { assetId, assetVersion, fileName: name, mediaType };
  try {
    const documentId = await putDocument(acting, { source, title: titleOf(name), text: wellFormed(text), metadata });
    return await settle(acting, version, { documentId });
  } catch (error) {
    const failure = REFUSED_TEXTS[reasonOf(error) ?? ""];
    if (failure !== undefined) return settle(acting, version, { failure });
    if (error instanceof APIError && error.code === ErrCode.InvalidArgument)
      return settle(acting, version, { failure: "damaged" });
    throw error;
  }
}

const TITLE_MAX_CHARS = 300;
const titleOf = (name: string): string => wellFormed(name.slice(0, TITLE_MAX_CHARS));

async function settle(
  acting: Acting,
  { assetId, assetVersion }: ExtractedVersion,
  became: { documentId: string } | { failure: Failure },
): Promise<AssetStatus | "gone"> {
  const { tenantId } = acting;
  const status = "failure" in became ? "failed" : "ready";
  const isSettled = await withTenant(acting, (tx) =>
    assetSettle(tx, {
      tenantId,
      id: assetId,
      version: assetVersion,
      status,
      reason: "failure" in became ? became.failure : null,
      documentId: "failure" in became ? null : became.documentId,
    }),
  );
  return isSettled ? status : "gone";
}

/** When its job has ended for good without a word about the file; false when there is no such version that waits for one. */
export function giveUpAsset(tx: Tx, tenantId: TenantId, { assetId, assetVersion }: ExtractedVersion): Promise<boolean> {
  const settled = { tenantId, id: assetId, version: assetVersion, documentId: null };
  return assetSettle(tx, { ...settled, status: "failed", reason: "given_up" satisfies Failure });
}
