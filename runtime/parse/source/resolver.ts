// Where an import leads: a file to read for its types, a module that Encore generates, or nothing to read
// (node's own modules, assets). Packages are found by TypeScript's own resolution, through our file door.
import { builtinModules } from "node:module";
import { dirname, extname, join } from "node:path";
import { ts, type TypeScript } from "../typescript";
import type { Files } from "./files";
import { readPathAliases, type PathAliases } from "./tsconfig";

export type Resolution =
  | { kind: "file"; path: string }
  | { kind: "clients" | "auth" }
  /** Exists, but Encore sees no types in it: `empty` is a module without exports, `opaque` no module at all. */
  | { kind: "empty" | "opaque" }
  | { kind: "missing"; reason: string };

const SCRIPT = new Set([".js", ".ts", ".mjs", ".mts", ".cjs", ".cts", ".jsx", ".tsx"]);
const TRIED = [".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mts", ".d.mts", ".mjs", ".cts", ".d.cts", ".cjs", ".json"];
const SUBSTITUTES: Record<string, readonly string[]> = {
  ".js": [".ts", ".tsx", ".d.ts"],
  ".jsx": [".tsx", ".d.ts"],
  ".mjs": [".mts", ".d.mts"],
  ".cjs": [".cts", ".d.cts"],
};
const BUILTIN = new Set(builtinModules);

export class Resolver {
  readonly #aliases: PathAliases;
  readonly #options: TypeScript.CompilerOptions;
  readonly #host: TypeScript.ModuleResolutionHost;
  readonly #packages = new Map<string, Resolution>();

  constructor(
    readonly files: Files,
    readonly root: string,
  ) {
    this.#aliases = readPathAliases(files, root);
    this.#options = {
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      module: ts.ModuleKind.ESNext,
      allowJs: true,
      preserveSymlinks: true,
      customConditions: ["bun", "deno", "node"],
    };
    this.#host = {
      fileExists: (path) => files.isFile(path),
      directoryExists: (path) => files.isFolder(path),
      readFile: (path) => files.read(path) ?? undefined,
    };
  }

  resolve(fromFile: string, specifier: string): Resolution {
    if (specifier === "~encore/clients") return { kind: "clients" };
    if (specifier === "~encore/auth") return { kind: "auth" };
    for (const candidate of this.#aliases.candidates(specifier)) {
      const found = this.#file(candidate);
      if (found) return this.#classify(found);
    }
    if (/^\.{0,2}\//.test(specifier) || specifier === "." || specifier === "..") return this.#relative(fromFile, specifier);
    if (specifier.startsWith("node:") || BUILTIN.has(specifier)) return { kind: "empty" };
    return this.#package(fromFile, specifier);
  }

  #relative(fromFile: string, specifier: string): Resolution {
    const target = specifier.startsWith("/") ? specifier : join(dirname(fromFile), specifier);
    const generated = join(this.root, "encore.gen") + "/";
    if (target.startsWith(`${generated}clients`)) return { kind: "clients" };
    if (target.startsWith(`${generated}auth`)) return { kind: "auth" };
    const found = this.#file(target);
    return found ? this.#classify(found) : { kind: "missing", reason: "index not found" };
  }

  #classify(path: string): Resolution {
    const gen = join(this.root, "encore.gen");
    if (path.startsWith(`${gen}/clients/`)) return { kind: "clients" };
    if (path.startsWith(`${gen}/auth/`)) return { kind: "auth" };
    const extension = extname(path);
    return extension === "" || SCRIPT.has(extension) ? { kind: "file", path } : { kind: "opaque" };
  }

  /** The file that a path without regard to extensions means, or the index of the folder. */
  #file(path: string): string | undefined {
    const extension = extname(path);
    const stem = path.slice(0, path.length - extension.length);
    const substituted = (SUBSTITUTES[extension] ?? []).map((other) => stem + other);
    const exact = extension === "" ? [] : [path];
    const candidates = [...substituted, ...exact, ...TRIED.map((other) => path + other)];
    const found = candidates.find((candidate) => this.files.isFile(candidate));
    if (found) return found;
    if (!this.files.isFolder(path)) return undefined;
    return TRIED.map((other) => join(path, `index${other}`)).find((candidate) => this.files.isFile(candidate));
  }

  #package(fromFile: string, specifier: string): Resolution {
    const key = `${dirname(fromFile)}\0${specifier}`;
    const known = this.#packages.get(key);
    if (known) return known;
    const { resolvedModule } = ts.resolveModuleName(specifier, fromFile, this.#options, this.#host);
    const found: Resolution = resolvedModule ? this.#installed(resolvedModule.resolvedFileName) : this.#untyped(fromFile, specifier);
    this.#packages.set(key, found);
    return found;
  }

  /** Encore reads what a package itself ships, not what others declare about it. */
  #installed(path: string): Resolution {
    return path.includes("/node_modules/@types/") ? { kind: "empty" } : this.#classify(path);
  }

  /** A package or a file of one that is installed but has nothing to read for types is fine; others are missing. */
  #untyped(fromFile: string, specifier: string): Resolution {
    for (let folder = dirname(fromFile); ; folder = dirname(folder)) {
      if (this.files.kind(join(folder, "node_modules", specifier)) !== "none") return { kind: "opaque" };
      if (folder === dirname(folder)) return { kind: "missing", reason: "failed to get the node_modules path" };
    }
  }
}
