// The page itself. It holds nothing of the installation: what it shows it asks for, as an operator.
import { api } from "encore.dev/api";
import type { IncomingMessage, ServerResponse } from "node:http";
import { flags } from "../config";
import { consolePageHeaders } from "../security/headers";
import { errors } from "./errors";
import { pageFile } from "./page-files";

/** The operations console. */
export const page = api.raw(
  { expose: true, method: "GET", path: "/console", tags: ["public:a page that holds nothing"] },
  (_req, resp) => send("", resp),
);

/** Scripts and styles of the console. */
export const pageAsset = api.raw(
  { expose: true, method: "GET", path: "/console/*asset", tags: ["public:a page that holds nothing"] },
  (req, resp) => send(assetName(req), resp),
);

async function send(name: string, resp: ServerResponse): Promise<void> {
  const file = flags.isOn("consolePage") ? pageFile(name) : undefined;
  if (file === undefined) throw errors.console_page_not_found();
  for (const [header, value] of Object.entries(consolePageHeaders)) resp.setHeader(header, value);
  resp.statusCode = 200;
  resp.setHeader("content-type", file.contentType);
  const { maxAgeSeconds } = file;
  resp.setHeader("cache-control", maxAgeSeconds === 0 ? "no-cache" : `public, max-age=${maxAgeSeconds}, immutable`);
  resp.end(file.body);
}

function assetName(req: IncomingMessage): string {
  const path = (req.url ?? "").split("?", 1)[0] ?? "";
  return path.replace(/^\/console\/?/, "");
}
