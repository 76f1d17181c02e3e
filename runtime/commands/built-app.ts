// The layout of a built folder: what `build` writes and `start` reads, relative to it.
import type { HostConfig } from "../config";

export const builtFiles = {
  bundle: "main.mjs",
  model: "host/model.json",
  manifest: "host/build.json",
  start: "host/start.js",
  native: "host/native.cjs",
  /** Only where the app's topics have no database of the app's. */
  embeddedPostgres: "host/embedded-postgres.js",
  infraConfig: "infra.config.json",
} as const;

export interface BuildManifest {
  formatVersion: 1;
  /** The sources' revision, which the folder itself does not know. */
  build: HostConfig["build"];
}
