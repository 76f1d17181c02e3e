// `groundwork test` adds the plugin where an app's own configuration does not have it, and only there.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Plugin, ViteUserConfig } from "vitest/config";
import { afterEach, beforeEach, expect, test } from "vitest";
import { configFor } from "../app-config";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "groundwork-config-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const pluginsOf = (config: ViteUserConfig): string[] =>
  (config.plugins ?? []).flat().map((plugin) => (plugin as Plugin).name);

test("an app without a configuration gets the plugin", async () => {
  expect(pluginsOf(await configFor(root))).toEqual(["groundwork"]);
});

test("an app that was written for `encore test` keeps what it says and gets the plugin besides", async () => {
  writeFileSync(
    join(root, "vite.config.mjs"),
    `export default { resolve: { alias: { "~encore": "/x/encore.gen" } }, plugins: [{ name: "own" }], test: { testTimeout: 1234 } };`,
  );
  const config = await configFor(root);
  expect(pluginsOf(config)).toEqual(["groundwork", "own"]);
  expect(config.test?.testTimeout).toBe(1234);
});

test("an app that names the plugin is left as it is", async () => {
  writeFileSync(join(root, "vitest.config.mjs"), `export default { plugins: [[{ name: "groundwork", own: true }]] };`);
  expect((await configFor(root)).plugins).toEqual([[{ name: "groundwork", own: true }]]);
});
