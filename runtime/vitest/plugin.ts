// The vitest plugin: any runner that starts vitest (an IDE's too) gets the app's environment. It parses and
// generates once, makes a migrated template database, and gives every test file a clone of its own. When
// ENCORE_RUNTIME_LIB is already set, as `encore test` does, it steps aside but for the alias (V-7).
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vitest/config";
import { hostFile, hostPackageRoot } from "../host-files";

// For test files: what they published. A spy on the topic's `publish` works as well, as it does officially (P-40).
export { clearPublished, publishedMessages, type Published } from "../pubsub/published";

const here = fileURLToPath(import.meta.url);

/** A module of this folder, as vitest is to load it: the bundle, or the source where the sources are run. */
const moduleFile = (name: string): string =>
  here.endsWith(".ts") ? join(dirname(here), `${name}.ts`) : join(hostPackageRoot, "dist", "vitest", `${name}.js`);

export interface GroundworkTestOptions {
  /** Folder that holds encore.app; by default vite's root. */
  app?: string;
}

export function groundwork(options: GroundworkTestOptions = {}): Plugin {
  return {
    name: "groundwork",
    config(config) {
      const root = options.app ?? config.root ?? process.cwd();
      const alias = { "~encore": join(root, "encore.gen") };
      if (process.env.ENCORE_RUNTIME_LIB) return { resolve: { alias } };
      return {
        resolve: { alias },
        test: {
          globalSetup: [moduleFile("global-setup")],
          setupFiles: [moduleFile("setup-file")],
          env: {
            // No line for each request, and none for those that a test means to fail: as `encore test` (V-2).
            ENCORE_RUNTIME_LOG: process.env.ENCORE_RUNTIME_LOG ?? "error",
            ENCORE_RUNTIME_LIB: hostFile("native.cjs"),
            GROUNDWORK_TEST_APP: root,
          },
          // The SDK must see the same module instance of the native library as the tests do.
          server: { deps: { external: [/node_modules/, /\/dist\/chunks\//] } },
        },
      };
    },
  };
}
