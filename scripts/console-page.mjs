// Builds the console's page (console/page) by vite into a module of the app, generated/console/files.ts: as a part of the program it
// is there wherever the program runs, in an image of Encore's too.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "vite";

/** Writes generated/console/files.ts below `root`; resolves with the names of the files in it. */
export async function buildConsolePage(root) {
  const result = await build({
    configFile: false,
    root: join(root, "console", "page"),
    base: "/console/",
    logLevel: "warn",
    // The page is ours and of today's browsers: nothing is filled in for old ones.
    build: { write: false, target: "es2022", modulePreload: false, assetsInlineLimit: 0 },
    oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  });
  const files = Object.fromEntries(
    result.output.map((file) => [file.fileName, String(file.type === "chunk" ? file.code : file.source)]),
  );
  const folder = join(root, "generated", "console");
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, "files.ts"),
    `/** By name below /console. */\nexport const builtFiles: Readonly<Record<string, string>> = ${JSON.stringify(files, undefined, 1)};\n`,
  );
  return Object.keys(files);
}

// `npm run console`
if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await buildConsolePage(process.cwd());
