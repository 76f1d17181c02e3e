// Files and packages as Encore finds them (L-6): Node's resolution with the endings of TypeScript added. It is not TypeScript's own:
// "types" counts as a condition of "exports" only, and an import without ending means a `.js` file before a `.ts` file.
import { dirname, extname, join, resolve, sep } from "node:path";
import type { Files } from "./files";
import { exportedFile, readExports, type Exports } from "./package-exports";

const ENDINGS = [".ts", ".tsx", ".js", ".jsx", ".json", ".node"];
const WRITTEN_AS: Record<string, readonly string[]> = {
  ".js": [".ts", ".tsx"],
  ".jsx": [".ts", ".tsx"],
  ".mjs": [".mts"],
  ".cjs": [".cts"],
};

interface PackageJson {
  entry: string | undefined;
  exports: Exports | undefined;
}

function splitName(specifier: string): { name: string; subpath: string } {
  const parts = specifier.split("/");
  const length = specifier.startsWith("@") ? 2 : 1;
  return { name: parts.slice(0, length).join("/"), subpath: parts.slice(length).join("/") };
}

const isText = (value: unknown): boolean => value === undefined || value === null || typeof value === "string";

/** undefined when it is not what Encore can read. */
function parsePackageJson(text: string): PackageJson | undefined {
  let raw: Record<string, unknown> | null;
  try {
    raw = JSON.parse(text) as Record<string, unknown> | null;
  } catch {
    return undefined;
  }
  if (!raw || !isText(raw.main) || !isText(raw.module)) return undefined;
  const exports = readExports(raw.exports ?? undefined);
  if (!exports && raw.exports !== undefined && raw.exports !== null) return undefined;
  return { entry: (raw.module ?? raw.main ?? undefined) as string | undefined, exports };
}

export class Packages {
  readonly #manifests = new Map<string, PackageJson | undefined>();

  constructor(readonly files: Files) {}

  #manifest(folder: string): PackageJson | undefined {
    if (!this.#manifests.has(folder)) {
      const text = this.files.read(join(folder, "package.json"));
      this.#manifests.set(folder, text === null ? undefined : parsePackageJson(text));
    }
    return this.#manifests.get(folder);
  }

  /** The file that a path means: itself, with an ending added, or the TypeScript file that a `.js` path was written for. */
  file(path: string): string | undefined {
    const ending = extname(path);
    const stem = path.slice(0, path.length - ending.length);
    const written = (WRITTEN_AS[ending] ?? []).map((other) => stem + other);
    const candidates = [
      ...(ending === "" ? [`${path}.js`] : []),
      path,
      ...ENDINGS.map((added) => path + added),
      ...written,
    ];
    return candidates.find((candidate) => this.files.isFile(candidate));
  }

  /** The file that a folder stands for: the entry of its package.json, or its index. */
  folder(path: string, allowEntry = true): string | undefined {
    if (!this.files.isFolder(path)) return undefined;
    if (allowEntry && this.files.isFile(join(path, "package.json"))) {
      const manifest = this.#manifest(path);
      if (!manifest) return undefined;
      const entry = manifest.entry === undefined ? undefined : join(path, manifest.entry);
      const found = entry === undefined ? undefined : (this.file(entry) ?? this.folder(entry, false));
      if (found !== undefined) return found;
    }
    return ENDINGS.map((ending) => join(path, `index${ending}`)).find((candidate) => this.files.isFile(candidate));
  }

  /**
   * The folder of a package. One of the workspace is a link to its sources: its own imports lead on from there, and a file of it
   * that the app also reads by its path is the same module. What was installed keeps its path, as the messages name it.
   */
  #home(folder: string): string {
    const place = this.files.place(folder) ?? folder;
    return place.split(sep).includes("node_modules") ? folder : place;
  }

  #inModules(modules: string, specifier: string): string | undefined {
    const { name, subpath } = splitName(specifier);
    const home = this.#home(join(modules, name));
    const exports = this.#manifest(home)?.exports;
    const exported = exports && exportedFile(exports, subpath);
    if (exported !== undefined) return this.file(join(home, exported));
    const path = resolve(home, subpath);
    return this.file(path) ?? this.folder(path);
  }

  /** The file of an installed package, from the nearest `node_modules` that has it. */
  installed(from: string, specifier: string): string | undefined {
    for (let folder = from; ; folder = dirname(folder)) {
      const modules = join(folder, "node_modules");
      const found = this.files.isFolder(modules) ? this.#inModules(modules, specifier) : undefined;
      if (found !== undefined || folder === dirname(folder)) return found;
    }
  }
}
