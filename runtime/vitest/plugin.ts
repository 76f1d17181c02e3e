// The vitest plugin: any runner that starts vitest (an IDE's too) gets the app's environment. It parses and
// generates once, makes a migrated template database, and gives every test file a clone of its own. When
// ENCORE_RUNTIME_LIB is already set, as `encore test` does, it steps aside but for the alias (V-7).
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vitest/config";

const here = dirname(fileURLToPath(import.meta.url));

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
          globalSetup: [join(here, "global-setup.ts")],
          setupFiles: [join(here, "setup-file.ts")],
          env: { ENCORE_RUNTIME_LIB: join(here, "..", "..", "dist", "native.cjs"), GROUNDWORK_TEST_APP: root },
          // The SDK must see the same module instance of the native library as the tests do.
          server: { deps: { external: [/node_modules/] } },
        },
      };
    },
  };
}
