// The web suite starts dist/cli.js as a person does; it must not be yesterday's.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

export async function setup(): Promise<void> {
  const root = join(import.meta.dirname, "..", "..", "..", "..");
  const { buildHost } = (await import(pathToFileURL(join(root, "scripts", "bundles.mjs")).href)) as {
    buildHost: (root: string) => Promise<string[]>;
  };
  await buildHost(root);
}
