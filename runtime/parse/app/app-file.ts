// encore.app (L-1): JSON with comments and trailing commas.
import { join } from "node:path";
import type { AppFile } from "../../model";
import { Refusal } from "../errors";
import type { Files } from "../source/files";
import { ts } from "../typescript";

interface RawAppFile {
  id?: string;
  global_cors?: Record<string, unknown>;
  build?: { worker_pooling?: boolean };
  log_level?: string;
}

const CORS_KEYS = {
  debug: "debug",
  allow_headers: "allowHeaders",
  expose_headers: "exposeHeaders",
  allow_origins_without_credentials: "allowOriginsWithoutCredentials",
  allow_origins_with_credentials: "allowOriginsWithCredentials",
} as const;

function corsOf(raw: Record<string, unknown>): AppFile["globalCors"] {
  return Object.fromEntries(
    Object.entries(CORS_KEYS).flatMap(([from, to]) => (raw[from] === undefined ? [] : [[to, raw[from]]])),
  );
}

/** @throws Refusal when the file is missing or no JSON */
export function readAppFile(files: Files, root: string): AppFile {
  const path = join(root, "encore.app");
  const text = files.read(path);
  if (text === null)
    throw new Refusal("no encore.app in the app's folder", undefined, { remedy: `Looked for ${path}.` });
  const { config, error } = ts.parseConfigFileTextToJson(path, text) as {
    config?: RawAppFile;
    error?: { messageText: unknown; start?: number };
  };
  if (error || !config)
    throw new Refusal(`encore.app is not valid: ${String(error?.messageText)}`, {
      path,
      text,
      offset: error?.start ?? 0,
    });
  const { id = "", global_cors: cors, build, log_level: logLevel } = config;
  return {
    id,
    ...(cors && { globalCors: corsOf(cors) }),
    ...(build?.worker_pooling !== undefined && { build: { workerPooling: build.worker_pooling } }),
    ...(logLevel !== undefined && { logLevel }),
  };
}
