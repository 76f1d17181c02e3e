// The interactive API documentation: Swagger UI from its package, our API description, nothing from elsewhere
// and no inline script, so that a strict content security policy holds.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export interface DocsFile {
  contentType: string;
  body: Buffer | string;
  /** Package files never change under one version; ours do. */
  maxAgeSeconds: number;
}

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Groundwork API</title>
    <link rel="stylesheet" href="/docs/swagger-ui.css">
    <link rel="icon" type="image/png" href="/docs/favicon-32x32.png" sizes="32x32">
  </head>
  <body>
    <main id="swagger-ui"></main>
    <script src="/docs/swagger-ui-bundle.js" defer></script>
    <script src="/docs/init.js" defer></script>
  </body>
</html>
`;

const init = `SwaggerUIBundle({
  url: "/docs/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: false,
  validatorUrl: null,
});
`;

/** Files of the viewer's package that the page uses, by name: a closed list, so that no path can leave it. */
const packageFiles: Readonly<Record<string, string>> = {
  "swagger-ui.css": "text/css; charset=utf-8",
  "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
  "favicon-32x32.png": "image/png",
};

/** One file of the documentation by its name below /docs (`""` is the page); undefined when there is none. */
export async function docsFile(name: string): Promise<DocsFile | undefined> {
  if (name === "") return { contentType: "text/html; charset=utf-8", body: page, maxAgeSeconds: 0 };
  if (name === "init.js") return { contentType: "text/javascript; charset=utf-8", body: init, maxAgeSeconds: 0 };
  const contentType = Object.hasOwn(packageFiles, name) ? packageFiles[name] : undefined;
  if (contentType === undefined) return undefined;
  return { contentType, body: await readFile(join(viewerFolder(), name)), maxAgeSeconds: 86_400 };
}

/** The API description (OpenAPI) as committed; undefined when this installation has none. */
export async function apiDescription(): Promise<DocsFile | undefined> {
  const file = findUpwards(join("docs", "openapi.json"));
  return file === undefined
    ? undefined
    : { contentType: "application/json; charset=utf-8", body: await readFile(file), maxAgeSeconds: 0 };
}

function viewerFolder(): string {
  return dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));
}

/** Looks above this module (source or bundle), then in the working directory: both lie in the app's tree. */
function findUpwards(path: string): string | undefined {
  for (
    let folder = dirname(fileURLToPath(import.meta.url)), above = "";
    folder !== above;
    above = folder, folder = dirname(folder)
  ) {
    if (existsSync(join(folder, "encore.app"))) return existsSync(join(folder, path)) ? join(folder, path) : undefined;
  }
  const inWorkingFolder = join(process.cwd(), path);
  return existsSync(inWorkingFolder) ? inWorkingFolder : undefined;
}
