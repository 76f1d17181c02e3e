// The web suite starts dist/cli.js as a person does; neither it nor the console's page must be yesterday's.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

export async function setup(): Promise<void> {
  const root = join(import.meta.dirname, "..", "..", "..", "..");
  const builders = [
    ["bundles.mjs", "buildHost"],
    ["console-page.mjs", "buildConsolePage"],
  ] as const;
  for (const [file, name] of builders) {
    const module = (await import(pathToFileURL(join(root, "scripts", file)).href)) as Record<
      string,
      (root: string) => Promise<unknown>
    >;
    await module[name]?.(root);
  }
}
