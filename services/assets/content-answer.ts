// A file's bytes as an answer that no browser takes for a page of ours: saved and never shown, of the type that the bytes have, and
// opened by mistake a document of no origin (`sandbox`).
import type { Writable } from "node:stream";
import { downloadHeaders } from "../../security/headers";
import type { TenantId } from "../../security/principal";
import { logger } from "../../telemetry/logger";
import { readBytes } from "./bucket";
import { parseRange, type ByteRange } from "./byte-range";
import { errors } from "./errors";
import { downloadPlaces } from "./places";
import { sendParts } from "./sending";
import type { AssetContent } from "./store/assets";

/** Of node's ServerResponse what both hosts have. */
export interface ContentResponse extends Writable {
  statusCode: number;
  readonly headersSent: boolean;
  setHeader(name: string, value: string | number): unknown;
}

/** RFC 6266 with RFC 8187: a name for those who read ASCII alone, and the whole one. */
export function dispositionOf(name: string): string {
  const plain = name.replace(/[^\w .()-]/g, "_");
  const whole = encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename="${plain}"; filename*=UTF-8''${whole}`;
}

export interface WantedRange {
  /** As in the headers Range and If-Range; empty or undefined when there is none. */
  range: string | undefined;
  ifRange: string;
}

/** @throws APIError downloads_waiting, service_unavailable while nothing of the answer has left */
export async function answerContent(
  tenantId: TenantId,
  content: AssetContent,
  wanted: WantedRange,
  response: ContentResponse,
): Promise<void> {
  const { bytes, contentId } = content;
  const range = rangeOf(wanted, content);
  if (range === "none") return refuseRange(response, content);
  const { first, last } = range ?? { first: 0, last: bytes - 1 };
  const place = downloadPlaces.take(tenantId);
  const rest = readBytes({ tenantId, id: contentId }, first, last);
  try {
    // Before the head: a bucket that is away is an answer, and not a connection that ends.
    const begin = await place.ours(() => rest.next());
    if (begin.done === true) throw new Error("a content without bytes");
    setHead(response, content, range);
    await sendParts({ first: begin.value, rest }, response, place);
  } catch (error) {
    if (!response.headersSent) throw error;
    // Who has left needs no word; anybody else sees a body that is shorter than was said.
    if (!response.destroyed) logger("assets").warn({ err: error, contentId }, "a file was not handed out whole");
    response.destroy();
  } finally {
    place.leave();
  }
}

/** RFC 9110 §13.1.5: of another content than the client has a part of, it gets the whole. A date never fits: we send none. */
function rangeOf({ range, ifRange }: WantedRange, { bytes, sha256 }: AssetContent): ByteRange | "none" | undefined {
  return ifRange === "" || ifRange === etagOf(sha256) ? parseRange(range, bytes) : undefined;
}

const etagOf = (sha256: string): string => `"${sha256}"`;

function setHead(response: ContentResponse, content: AssetContent, range: ByteRange | undefined): void {
  const { bytes, mediaType, sha256 } = content;
  setDownload(response, content);
  if (range !== undefined) {
    response.statusCode = 206;
    response.setHeader("content-range", `bytes ${range.first}-${range.last}/${bytes}`);
  }
  response.setHeader("content-type", mediaType);
  response.setHeader("content-length", range === undefined ? bytes : range.last - range.first + 1);
  response.setHeader("etag", etagOf(sha256));
}

function setDownload(response: ContentResponse, { name }: AssetContent): void {
  const headers = { ...downloadHeaders("file"), "content-disposition": dispositionOf(name), "accept-ranges": "bytes" };
  for (const [header, value] of Object.entries(headers)) response.setHeader(header, value);
}

/** By hand: a thrown error has no status 416. */
function refuseRange(response: ContentResponse, content: AssetContent): void {
  setDownload(response, content);
  const { code, message, details } = errors.range_not_satisfiable();
  response.statusCode = 416;
  response.setHeader("content-type", "application/json");
  response.setHeader("content-range", `bytes */${content.bytes}`);
  response.end(JSON.stringify({ code, message, details }));
}
