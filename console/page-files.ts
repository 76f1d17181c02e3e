// The files of the page, as `scripts/console-page.mjs` built them: they are part of the program, so they are there wherever it
// runs. A closed list of names, so that no path can leave it.
import { builtFiles } from "../generated/console/files";

export interface PageFile {
  contentType: string;
  body: Buffer;
  /** Names of scripts and styles have a hash of what is in them; the page itself has none. */
  maxAgeSeconds: number;
}

const YEAR_SECONDS = 31_536_000;
const contentTypes: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

const files = new Map<string, PageFile>();

/** A file by its name below /console (`""` is the page); undefined when there is none. */
export function pageFile(name: string): PageFile | undefined {
  const path = name === "" ? "index.html" : name;
  const known = files.get(path);
  if (known !== undefined) return known;
  const text = Object.hasOwn(builtFiles, path) ? builtFiles[path] : undefined;
  const contentType = contentTypes[path.slice(path.lastIndexOf(".") + 1)];
  if (text === undefined || contentType === undefined) return undefined;
  const maxAgeSeconds = path === "index.html" ? 0 : YEAR_SECONDS;
  const file = { contentType, body: Buffer.from(text), maxAgeSeconds };
  files.set(path, file);
  return file;
}
