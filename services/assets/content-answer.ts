// A file's bytes as an answer that no browser takes for a page of ours: saved and never shown, of the type that the bytes have, and
// opened by mistake a document of no origin (`sandbox`). Piece by piece, as fast as the reader takes them.
import { pipeline } from "node:stream/promises";
import { Readable, type Writable } from "node:stream";
import { downloadHeaders } from "../../security/headers";
import type { TenantId } from "../../security/principal";
import { logger } from "../../telemetry/logger";
import { readBytes } from "./bucket";
import { parseRange } from "./byte-range";
import { errors } from "./errors";
import type { AssetContent } from "./store/assets";

/** Of node's ServerResponse what both hosts have. */
export interface ContentResponse extends Writable {
  statusCode: number;
  setHeader(name: string, value: string | number): unknown;
}

/** RFC 6266 with RFC 8187: a name for those who read ASCII alone, and the whole one. */
export function dispositionOf(name: string): string {
  const plain = name.replace(/[^\w .()-]/g, "_");
  const whole = encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename="${plain}"; filename*=UTF-8''${whole}`;
}

export async function answerContent(
  tenantId: TenantId,
  content: AssetContent,
  rangeHeader: string | undefined,
  response: ContentResponse,
): Promise<void> {
  const { bytes, mediaType, name, sha256, contentId } = content;
  const range = parseRange(rangeHeader, bytes);
  const headers = { ...downloadHeaders("file"), "content-disposition": dispositionOf(name), "accept-ranges": "bytes" };
  for (const [header, value] of Object.entries(headers)) response.setHeader(header, value);
  if (range === "none") return refuseRange(response, bytes);
  const { first, last } = range ?? { first: 0, last: bytes - 1 };
  if (range !== undefined) {
    response.statusCode = 206;
    response.setHeader("content-range", `bytes ${first}-${last}/${bytes}`);
  }
  response.setHeader("content-type", mediaType);
  response.setHeader("content-length", last - first + 1);
  response.setHeader("etag", `"${sha256}"`);
  await pipeline(
    Readable.from(readBytes({ tenantId, id: contentId }, first, last), { highWaterMark: 1 }),
    response,
  ).catch((error: unknown) => {
    // Who has left needs no word; anybody else sees a body that is shorter than was said.
    logger("assets").warn({ err: error, contentId }, "a file was not handed out whole");
    response.destroy();
  });
}

/** By hand: a thrown error has no status 416. */
function refuseRange(response: ContentResponse, bytes: number): void {
  const { code, message, details } = errors.range_not_satisfiable();
  response.statusCode = 416;
  response.setHeader("content-type", "application/json");
  response.setHeader("content-range", `bytes */${bytes}`);
  response.end(JSON.stringify({ code, message, details }));
}
