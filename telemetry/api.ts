// Endpoints for machines and operators: liveness, readiness, metrics, documentation. Probes do no work beyond
// their answer and pass the guard without span, metric or limit.
import { api } from "encore.dev/api";
import type { IncomingMessage, ServerResponse } from "node:http";

import { cfg, flags } from "../config";
import { docsPageHeaders } from "../security/headers";
import { apiDescription, docsFile, type DocsFile } from "./docs-page";
import { telemetryErrors } from "./errors";
import { logger } from "./logger";
import { renderPrometheus } from "./metrics";
import { metricsDoor } from "../security/metrics-access";
import { checkReadiness } from "./probes";

/** Liveness: the process answers. */
export const livez = api.raw(
  { expose: true, method: "GET", path: "/livez", tags: ["public:liveness", "probe"] },
  (_req, resp) => sendAlive(resp),
);

/** Liveness, under the name some platforms expect. */
export const live = api.raw(
  { expose: true, method: "GET", path: "/live", tags: ["public:liveness", "probe"] },
  (_req, resp) => sendAlive(resp),
);

/** Readiness: every part works and the process is not draining; 503 otherwise. */
export const readyz = api.raw(
  { expose: true, method: "GET", path: "/readyz", tags: ["public:readiness", "probe"] },
  (_req, resp) => sendReadiness(resp),
);

/** Readiness, under the name some platforms expect. */
export const ready = api.raw(
  { expose: true, method: "GET", path: "/ready", tags: ["public:readiness", "probe"] },
  (_req, resp) => sendReadiness(resp),
);

/** Readiness, under the name some platforms expect. */
export const health = api.raw(
  { expose: true, method: "GET", path: "/health", tags: ["public:readiness", "probe"] },
  (_req, resp) => sendReadiness(resp),
);

/** Metrics in the Prometheus text format, for who sends METRICS_TOKEN from the networks in METRICS_ALLOW. */
export const metrics = api.raw(
  { expose: true, method: "GET", path: "/metrics", tags: ["public:scrapers have a token of their own", "probe"] },
  (req, resp) => sendMetrics(req, resp),
);

/** What is here: a browser is led to the documentation, everybody else reads where to find what. */
export const root = api.raw({ expose: true, method: "GET", path: "/", tags: ["public:documentation"] }, (req, resp) =>
  sendRoot(req, resp),
);

/** The interactive API documentation. */
export const docs = api.raw(
  { expose: true, method: "GET", path: "/docs", tags: ["public:documentation"] },
  (_req, resp) => sendDocs("", resp),
);

/** Files of the API documentation; `openapi.json` is the API description. */
export const docsAsset = api.raw(
  { expose: true, method: "GET", path: "/docs/*asset", tags: ["public:documentation"] },
  (req, resp) => sendDocs(assetName(req), resp),
);

const log = logger("probes");
const mayReadMetrics = metricsDoor({ ...cfg.metrics, isProduction: cfg.env === "production" });

function sendAlive(resp: ServerResponse): void {
  sendJson(resp, 200, { status: "ok" });
}

async function sendReadiness(resp: ServerResponse): Promise<void> {
  const { ready: isReady, draining, checks } = await checkReadiness();
  for (const check of checks) {
    if (!check.ok) log.warn({ probe: check.name, err: check.error }, "a readiness probe failed");
  }
  const status = isReady ? "ready" : draining ? "draining" : "unavailable";
  sendJson(resp, isReady ? 200 : 503, {
    status,
    checks: Object.fromEntries(checks.map((check) => [check.name, check.ok ? "ok" : "failed"])),
  });
}

async function sendMetrics(req: IncomingMessage, resp: ServerResponse): Promise<void> {
  if (!mayReadMetrics(req.headers)) throw telemetryErrors.metrics_forbidden();
  const text = await renderPrometheus();
  resp.statusCode = 200;
  resp.setHeader("content-type", "text/plain; version=0.0.4; charset=utf-8");
  resp.setHeader("cache-control", "no-store");
  resp.end(text);
}

function sendRoot(req: IncomingMessage, resp: ServerResponse): void {
  const hasDocs = flags.isOn("docsPage");
  resp.setHeader("vary", "accept");
  if (hasDocs && /\btext\/html\b/i.test(req.headers.accept ?? "")) {
    resp.statusCode = 302;
    resp.setHeader("location", "/docs");
    resp.setHeader("cache-control", "no-cache");
    resp.end();
    return;
  }
  const docs = hasDocs ? { documentation: "/docs", description: "/docs/openapi.json" } : {};
  sendJson(resp, 200, { name: cfg.otel.serviceName, ...docs, readiness: "/readyz" });
}

async function sendDocs(name: string, resp: ServerResponse): Promise<void> {
  if (!flags.isOn("docsPage")) throw telemetryErrors.docs_not_found();
  if (name === "openapi.json") return sendFile(await apiDescription(), resp, telemetryErrors.docs_not_generated);
  return sendFile(await docsFile(name), resp, telemetryErrors.docs_not_found);
}

function sendFile(file: DocsFile | undefined, resp: ServerResponse, absent: () => Error): void {
  if (file === undefined) throw absent();
  for (const [header, value] of Object.entries(docsPageHeaders)) resp.setHeader(header, value);
  resp.statusCode = 200;
  resp.setHeader("content-type", file.contentType);
  resp.setHeader("cache-control", file.maxAgeSeconds === 0 ? "no-cache" : `public, max-age=${file.maxAgeSeconds}`);
  resp.end(file.body);
}

function assetName(req: IncomingMessage): string {
  const path = (req.url ?? "").split("?", 1)[0] ?? "";
  return path.replace(/^\/docs\/?/, "");
}

function sendJson(resp: ServerResponse, status: number, body: object): void {
  resp.statusCode = status;
  resp.setHeader("content-type", "application/json; charset=utf-8");
  resp.setHeader("cache-control", "no-store");
  resp.end(JSON.stringify(body));
}
