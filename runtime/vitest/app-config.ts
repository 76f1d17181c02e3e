// The configuration of `groundwork test`: the app's own, with the plugin when it does not have it yet. An app that was
// written for `encore test` has at most an alias there.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { loadConfigFromFile } from "vite";
import { defineConfig, mergeConfig, type Plugin, type ViteUserConfig } from "vitest/config";
import { groundwork } from "./plugin";

const names = ["vitest.config", "vite.config"].flatMap((name) =>
  ["ts", "mts", "cts", "js", "mjs", "cjs"].map((ending) => `${name}.${ending}`),
);

const hasPlugin = (config: ViteUserConfig): boolean =>
  (config.plugins ?? []).flat().some((plugin) => (plugin as Plugin | undefined)?.name === "groundwork");

async function appConfig(root: string): Promise<ViteUserConfig> {
  const file = names.map((name) => join(root, name)).find(existsSync);
  if (file === undefined) return {};
  return (await loadConfigFromFile({ command: "serve", mode: "test" }, file, root))?.config ?? {};
}

/** What vitest gets for the app in `root`. */
export async function configFor(root: string): Promise<ViteUserConfig> {
  const own = await appConfig(root);
  return hasPlugin(own) ? own : mergeConfig({ plugins: [groundwork({ app: root })] }, own);
}

export default defineConfig(() => configFor(process.env.GROUNDWORK_TEST_ROOT ?? process.cwd()));
