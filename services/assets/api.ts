// The endpoints of the assets service: who may call, and the mapping to the rules. Files themselves travel through raw endpoints:
// a typed one would hold all of a body before it looked at it.
import { currentRequest } from "encore.dev";
import { api, type Query } from "encore.dev/api";
import { CronJob } from "encore.dev/cron";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { parseCursor } from "../../db/cursor";
import { isUuid } from "../../db/ids";
import { parseInput } from "../../security/input";
import { currentPrincipal } from "../../security/principal";
import { answerContent } from "./content-answer";
import { deleteAsset } from "./deletion";
import { errors } from "./errors";
import { contentInput, listInput } from "./input";
import { shownAsset } from "./shown-asset";
import { assetFind, assetList, contentOfVersion, versionList } from "./store/assets";
import { purgeAbandoned } from "./upkeep";
import { queryOf, receiveUpload } from "./upload-request";

/**
 * Keeps a file: the body is the file and `name` in the query its name, or the body is a multipart/form-data form with one file.
 * The same name again is the file's next version. Answers `{id, version, status, mediaType, bytes, sha256, documentId?}`.
 */
export const upload = api.raw(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/assets",
    tags: ["can:asset.write", "limit:ingest"],
    bodyLimit: null,
  },
  async (req, resp) => {
    const uploaded = await receiveUpload(currentPrincipal(), req);
    resp.setHeader("content-type", "application/json");
    resp.end(JSON.stringify(uploaded));
  },
);

interface ListAssetsRequest {
  /** The file of exactly this name. */
  name?: Query<string & MinLen<1> & MaxLen<255>>;
  status?: Query<"pending" | "ready" | "failed" | "stored">;
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `next` of the page before. */
  cursor?: Query<string>;
}

interface Asset {
  id: string;
  name: string;
  /** From 1; each upload under the same name that brings other bytes is the next. */
  version: number;
  /** Told by the bytes. */
  mediaType: string;
  bytes: number;
  /** Of the bytes, hexadecimal. */
  sha256: string;
  /** "ready" when its text is a document, "pending" until then; "stored" has no text that is read. */
  status: "pending" | "ready" | "failed" | "stored";
  /** Why its text was not read: a word, and a sentence behind it. */
  error?: string;
  /** The document that was made of it: GET /vectors/documents/:id tells whether it can be found yet. */
  documentId?: string;
  /** ISO 8601. */
  createdAt: string;
  updatedAt: string;
}

interface ListAssetsResponse {
  assets: Asset[];
  /** Absent on the last page. */
  next?: string;
}

/** The organisation's files, the newest first. */
export const listAssets = api(
  { expose: true, auth: true, method: "GET", path: "/assets", tags: ["can:asset.read"] },
  async ({ limit, cursor, ...filter }: ListAssetsRequest): Promise<ListAssetsResponse> => {
    const wanted = parseInput(listInput, filter);
    const { rows, next } = await assetList(currentPrincipal(), wanted, Math.floor(limit ?? 50), parseCursor(cursor));
    return { assets: rows.map(shownAsset), ...(next === undefined ? {} : { next }) };
  },
);

interface AssetVersion {
  version: number;
  mediaType: string;
  bytes: number;
  sha256: string;
  /** ISO 8601. */
  createdAt: string;
}

interface AssetResponse extends Asset {
  /** The newest hundred, the newest first. */
  versions: AssetVersion[];
}

const VERSIONS_SHOWN = 100;

/** A file, what became of it, and its versions. */
export const getAsset = api(
  { expose: true, auth: true, method: "GET", path: "/assets/:id", tags: ["can:asset.read"] },
  async ({ id }: { id: string }): Promise<AssetResponse> => {
    const principal = currentPrincipal();
    const asset = isUuid(id) ? await assetFind(principal, id) : undefined;
    if (asset === undefined) throw errors.asset_not_found();
    const versions = await versionList(principal, id, VERSIONS_SHOWN);
    return {
      ...shownAsset(asset),
      versions: versions.map(({ createdAt, ...version }) => ({ ...version, createdAt: createdAt.toISOString() })),
    };
  },
);

/** A file's bytes, of its present version or of `version` in the query; a Range of them if one is asked for. */
export const getContent = api.raw(
  { expose: true, auth: true, method: "GET", path: "/assets/:id/content", tags: ["can:asset.read"] },
  async (req, resp) => {
    const principal = currentPrincipal();
    const call = currentRequest();
    const id = call?.type === "api-call" ? String(call.pathParams.id) : "";
    const { version } = parseInput(contentInput, { version: queryOf(req).get("version") ?? undefined });
    const content = isUuid(id) ? await contentOfVersion(principal, id, version) : undefined;
    if (content === undefined) throw errors.asset_not_found();
    const { range, "if-range": ifRange } = req.headers;
    await answerContent(principal.tenantId, content, { range, ifRange: String(ifRange ?? "") }, resp);
  },
);

interface DeleteAssetRequest {
  id: string;
}

/** Removes a file with all its versions and its document. Bytes that other files have too stay. */
export const removeAsset = api(
  { expose: true, auth: true, method: "DELETE", path: "/assets/:id", tags: ["can:asset.delete"] },
  async ({ id }: DeleteAssetRequest): Promise<void> => {
    const isDeleted = isUuid(id) && (await deleteAsset(currentPrincipal(), id));
    if (!isDeleted) throw errors.asset_not_found();
  },
);

/** Hourly upkeep: bytes of uploads that were never committed. */
export const maintain = api({ expose: false, method: "POST", path: "/assets/maintain" }, async (): Promise<void> => {
  await purgeAbandoned(new Date());
});

export const maintainHourly = new CronJob("assets-maintain", {
  title: "Remove uploads that were never committed",
  every: "1h",
  endpoint: maintain,
});
