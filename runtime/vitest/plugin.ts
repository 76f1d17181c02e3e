// The vitest plugin: any runner that starts vitest (an IDE's too) gets the app's environment. It parses and
// generates once, makes a migrated template database, and gives every test file a clone of its own. When
// ENCORE_RUNTIME_LIB is already set, as `encore test` does, it steps aside but for the alias (V-7).
import { dirname, isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vitest/config";
import { Files } from "../parse/source/files";
import { readPathAliases, type PathAliases } from "../parse/source/tsconfig";
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

const firstUseMs = 20_000;

/** Files of installed packages have nothing to do with the app's tsconfig.json. */
const isInstalled = (file: string): boolean => file.includes("/node_modules/");

export function groundwork(options: GroundworkTestOptions = {}): Plugin {
  let root = "";
  let aliases: PathAliases | undefined;
  return {
    name: "groundwork",
    enforce: "pre",
    // Paths of the app's tsconfig.json lead where they do under `run`.
    async resolveId(source, importer) {
      if (importer === undefined || isInstalled(importer) || /^[./\0]|^node:/.test(source)) return undefined;
      aliases ??= readPathAliases(new Files(), root);
      const target = aliases.target(source);
      if (target === undefined) return undefined;
      return this.resolve(isAbsolute(target) ? target : join(aliases.base, target), importer, { skipSelf: true });
    },
    config(config) {
      root = options.app ?? config.root ?? process.cwd();
      const alias = { "~encore": join(root, "encore.gen") };
      if (process.env.ENCORE_RUNTIME_LIB) return { resolve: { alias } };
      return {
        resolve: { alias },
        test: {
          globalSetup: [moduleFile("global-setup")],
          setupFiles: [moduleFile("setup-file")],
          // The first test of a file that touches a database waits for it to start, which vitest's 5 s may not cover.
          testTimeout: config.test?.testTimeout ?? firstUseMs,
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
