// Static assets (contract 3.12): files of a folder, or one file, with ranges, conditional requests, an index for
// folders and a page for what is missing.
import type { ReadStream, Stats } from "node:fs";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { HostConfig } from "../config";
import type { StaticAssets } from "../model";
import { percentDecodeStrict } from "../schema/url-text";
import { parseRange, type ByteRange } from "./byte-range";
import type { Exchange } from "./exchange";
import { Failure, fromThrown } from "./failure";
import { mediaType } from "./media-types";
import type { Pending, Replier } from "./reply";
import type { RequestLog } from "./request-log";

/** Image builds set every file's time to the epoch: such a time says nothing about the content (H-143). */
const NORMALIZED_UNTIL_MS = 315_532_800_000;
const MULTIPART = "Cannot serve multipart range requests";
/** What a URL cannot hold unencoded: such names are refused (Appendix B, H-141). */
const NOT_IN_URI = /[\u0000-\u0020<>`\u007f-\uffff]/;
const NOT_FOUND = new Failure("not_found", "file not found");

interface Job {
  exchange: Exchange;
  pending: Pending;
  replier: Replier;
  assets: StaticAssets;
  config: HostConfig;
  header(name: string): string | undefined;
}

interface Found {
  file: string;
  stats: Stats;
}

export function serveStatic(
  exchange: Exchange,
  pending: Pending,
  replier: Replier,
  config: HostConfig,
  log: RequestLog,
): void {
  const assets = exchange.endpoint.model.static ?? { dir: "." };
  const job: Job = { exchange, pending, replier, assets, config, header: (name) => exchange.headerValues(name)[0] };
  log.started(exchange);
  serveFile(job).then(
    () => log.completed(exchange, "ok", null),
    (error: unknown) => {
      const failure = error instanceof Failure ? error : fromThrown(error);
      log.completed(exchange, failure.code, failure.code === "not_found" ? null : failure);
      replier.fail(pending, failure);
    },
  );
}

/** The path below the folder. The captured text is taken as a URL again, as the official runtime does. */
function relativePath(exchange: Exchange): string {
  const captured = Object.values(exchange.payload() ?? {})[0];
  const text = `/${typeof captured === "string" ? captured : ""}`;
  if (NOT_IN_URI.test(text)) throw new Failure("invalid_argument", "invalid file path: invalid uri character");
  const path = percentDecodeStrict(text.split(/[?#]/, 1)[0] ?? "");
  if (path === undefined || path.includes("\0")) throw NOT_FOUND;
  return path;
}

async function statOrNull(file: string): Promise<Stats | null> {
  try {
    return await stat(file);
  } catch {
    return null;
  }
}

async function serveFile(job: Job): Promise<void> {
  const path = relativePath(job.exchange);
  const parts = path.split("/").filter((p) => p !== "" && p !== ".");
  if (parts.includes("..")) return serveNotFound(job);
  const target = join(job.config.appRoot, job.assets.dir, ...parts);
  const stats = await statOrNull(target);
  if (stats?.isFile()) return sendFile(job, { file: target, stats });
  if (!stats?.isDirectory()) return serveNotFound(job);
  if (!path.endsWith("/")) return send(job, 307, ["location", `${path}/`], null);
  const index = join(target, "index.html");
  const indexStats = await statOrNull(index);
  return indexStats?.isFile() ? sendFile(job, { file: index, stats: indexStats }) : serveNotFound(job);
}

/** The page for what is missing; with status 200 it is an asset like any other (H-142). */
async function serveNotFound(job: Job): Promise<void> {
  if (job.assets.notFound === undefined) throw NOT_FOUND;
  const file = join(job.config.appRoot, job.assets.notFound);
  const stats = await statOrNull(file);
  if (!stats?.isFile()) throw NOT_FOUND;
  const status = job.assets.notFoundStatus ?? 404;
  if (status === 200) return sendFile(job, { file, stats });
  return stream(job, status, ["accept-ranges", "bytes", "content-type", mediaType(file)], { file, stats }, null);
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}

function parseHttpDate(text: string | undefined): number | null {
  const ms = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(ms) ? null : seconds(ms);
}

/** The validator of a file: its time, or the revision of the build when the time means nothing. */
function validator(job: Job, stats: Stats): { lastModified?: string; etag?: string } {
  const own = new Set(Object.keys(job.assets.headers ?? {}).map((n) => n.toLowerCase()));
  if (stats.mtimeMs > NORMALIZED_UNTIL_MS && !own.has("last-modified"))
    return { lastModified: stats.mtime.toUTCString() };
  const { revision, uncommittedChanges } = job.config.build;
  return revision !== "" && !uncommittedChanges && !own.has("etag") ? { etag: `"${revision}"` } : {};
}

function matchesTag(header: string | undefined, etag: string, weak: boolean): boolean {
  if (header === undefined) return false;
  if (header.trim() === "*") return true;
  return header.split(",").some((t) => t.trim() === etag || (weak && t.trim() === `W/${etag}`));
}

function isNotModified(
  job: Job,
  stats: Stats,
  { lastModified, etag }: { lastModified?: string; etag?: string },
): boolean {
  if (etag !== undefined) return matchesTag(job.header("if-none-match"), etag, true);
  const since = parseHttpDate(job.header("if-modified-since"));
  return lastModified !== undefined && since !== null && seconds(stats.mtimeMs) <= since;
}

async function sendFile(job: Job, found: Found): Promise<void> {
  const { stats, file } = found;
  const unmodifiedSince = parseHttpDate(job.header("if-unmodified-since"));
  if (unmodifiedSince !== null && seconds(stats.mtimeMs) > unmodifiedSince) return send(job, 412, [], null);
  const valid = validator(job, stats);
  const headers = ["accept-ranges", "bytes", "content-type", mediaType(file)];
  const validators = [
    ...(valid.lastModified === undefined ? [] : ["last-modified", valid.lastModified]),
    ...(valid.etag === undefined ? [] : ["etag", valid.etag]),
  ];
  const range = rangeOf(job, stats.size, valid.etag);
  if (range === "unsatisfiable" || range === "multipart") {
    return send(
      job,
      416,
      [...headers, "content-range", `bytes */${stats.size}`],
      range === "multipart" ? MULTIPART : null,
    );
  }
  if (isNotModified(job, stats, valid)) return send(job, 304, ["accept-ranges", "bytes", ...validators], null);
  if (range === null) return stream(job, 200, [...headers, ...validators], found, null);
  return stream(
    job,
    206,
    [...headers, ...validators, "content-range", `bytes ${range.first}-${range.last}/${stats.size}`],
    found,
    range,
  );
}

/** The range to serve; null for all. `If-Range` holds only for a tag that is ours. */
function rangeOf(job: Job, size: number, etag: string | undefined): ReturnType<typeof parseRange> | null {
  const header = job.header("range");
  if (header === undefined) return null;
  const condition = job.header("if-range");
  const holds = condition === undefined || (etag !== undefined && matchesTag(condition, etag, false));
  return holds ? parseRange(header, size) : null;
}

/** The app's own headers of H-143 behind ours. */
function withOwn(job: Job, headers: string[]): string[] {
  const own = Object.entries(job.assets.headers ?? {}).flatMap(([name, values]) =>
    values.flatMap((v) => [name.toLowerCase(), v]),
  );
  return [...headers, ...own];
}

function send(job: Job, status: number, headers: string[], body: string | null): void {
  job.replier.send(job.pending, status, withOwn(job, headers), body);
}

function stream(
  job: Job,
  status: number,
  headers: string[],
  { file, stats }: Found,
  range: ByteRange | null,
): Promise<void> {
  const { req, res } = job.pending;
  const length = range ? range.last - range.first + 1 : stats.size;
  const start = (): void => {
    res.writeHead(status, [...job.replier.lines(job.pending, withOwn(job, headers)), "content-length", String(length)]);
  };
  if (req.method === "HEAD" || length === 0) {
    start();
    res.end();
    return Promise.resolve();
  }
  const source = createReadStream(file, { start: range?.first ?? 0, end: range ? range.last : stats.size - 1 });
  return pipe(source, start, job);
}

/** The head leaves when the file is open: one that cannot be read is still an error the client gets. */
function pipe(source: ReadStream, start: () => void, { pending: { res } }: Job): Promise<void> {
  return new Promise((resolve, reject) => {
    source.on("open", () => {
      start();
      source.pipe(res);
    });
    source.on("error", () => {
      if (!res.headersSent) return reject(new Failure("internal", "failed to serve static asset"));
      res.destroy();
      resolve();
    });
    res.on("error", () => undefined);
    res.on("close", () => {
      source.destroy();
      resolve();
    });
  });
}
