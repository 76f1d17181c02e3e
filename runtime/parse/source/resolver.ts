// Where an import leads: a file to read for its types, a module that Encore generates, or nothing to read
// (node's own modules, assets).
import { builtinModules } from "node:module";
import { dirname, extname, join, resolve } from "node:path";
import type { Files } from "./files";
import { Packages } from "./packages";
import { readPathAliases, type PathAliases } from "./tsconfig";

export type Resolution =
  | { kind: "file"; path: string }
  | { kind: "clients" | "auth" }
  /** Exists, but Encore sees no types in it: `empty` is a module without exports, `opaque` no module at all. */
  | { kind: "empty" | "opaque" }
  | { kind: "missing"; reason: string };

const SCRIPT = new Set([".js", ".ts", ".mjs", ".mts", ".cjs", ".cts", ".jsx", ".tsx"]);
const DECLARED_IN: Record<string, string> = { ".js": ".d.ts", ".mjs": ".d.mts", ".cjs": ".d.cts" };
const BUILTIN = new Set(builtinModules);

const isRelative = (specifier: string): boolean =>
  /^\.{0,2}\//.test(specifier) || specifier === "." || specifier === "..";

export class Resolver {
  readonly #aliases: PathAliases;
  readonly #packages: Packages;
  readonly #resolved = new Map<string, Resolution>();

  constructor(
    readonly files: Files,
    readonly root: string,
  ) {
    this.#aliases = readPathAliases(files, root);
    this.#packages = new Packages(files);
  }

  resolve(fromFile: string, specifier: string): Resolution {
    const key = `${dirname(fromFile)}\0${specifier}`;
    let found = this.#resolved.get(key);
    if (!found) this.#resolved.set(key, (found = this.#find(dirname(fromFile), specifier)));
    return found;
  }

  #find(from: string, specifier: string): Resolution {
    if (specifier === "~encore/clients") return { kind: "clients" };
    if (specifier === "~encore/auth") return { kind: "auth" };
    const aliased = this.#aliases.target(specifier);
    if (aliased !== undefined) return this.#locate(this.#aliases.base, aliased);
    const found = this.#locate(from, specifier);
    return found.kind === "file" ? { kind: "file", path: this.#declaration(found.path) } : found;
  }

  /** The declarations beside a JavaScript file say more than it does. */
  #declaration(path: string): string {
    const ending = extname(path);
    const declared = DECLARED_IN[ending];
    const candidate = declared === undefined ? path : path.slice(0, path.length - ending.length) + declared;
    return this.files.isFile(candidate) ? candidate : path;
  }

  #locate(from: string, specifier: string): Resolution {
    if (specifier.startsWith("node:") || BUILTIN.has(specifier)) return { kind: "empty" };
    if (!isRelative(specifier)) {
      const path = this.#packages.installed(from, specifier);
      return path === undefined
        ? { kind: "missing", reason: "failed to get the node_modules path" }
        : this.#classify(path);
    }
    const target = resolve(from, specifier);
    const generated = this.#generated(`${target}/`);
    if (generated) return generated;
    const path = this.#packages.file(target) ?? this.#packages.folder(target);
    return path === undefined ? { kind: "missing", reason: "index not found" } : this.#classify(path);
  }

  /** The generated modules by their place: they may not be there yet. */
  #generated(path: string): Resolution | undefined {
    const gen = join(this.root, "encore.gen");
    if (path.startsWith(`${gen}/clients/`)) return { kind: "clients" };
    return path.startsWith(`${gen}/auth/`) ? { kind: "auth" } : undefined;
  }

  #classify(path: string): Resolution {
    const extension = extname(path);
    return (
      this.#generated(path) ?? (extension === "" || SCRIPT.has(extension) ? { kind: "file", path } : { kind: "opaque" })
    );
  }
}
