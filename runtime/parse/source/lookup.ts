// Which declaration a name means: own declarations first, then imports followed through re-exports, then the universe.
import { Refusal, type Diagnostics } from "../errors";
import { spotOf, type Modules, type SourceModule } from "./modules";
import type { Declared, ImportedName, Reexport } from "./scope";

export interface Found {
  declared: Declared;
  module: SourceModule;
}

export class Lookup {
  readonly #asNamespace = new Map<SourceModule, Declared>();
  readonly #memo = new Map<SourceModule, Map<string, Found | undefined>>();

  constructor(
    readonly modules: Modules,
    readonly diagnostics: Diagnostics,
  ) {}

  /** `name` as code of the module sees it. */
  name(name: string, module: SourceModule): Found | undefined {
    let memo = this.#memo.get(module);
    if (!memo) this.#memo.set(module, (memo = new Map<string, Found | undefined>()));
    if (!memo.has(name)) memo.set(name, this.#find(name, module));
    return memo.get(name);
  }

  #find(name: string, module: SourceModule): Found | undefined {
    const own = module.scope.topLevel.get(name);
    if (own) return { declared: own, module };
    const imported = module.scope.imports.get(name);
    if (imported) return this.#imported(imported, module);
    const { universe } = this.modules;
    const known = universe.scope.exports.get(name);
    return known && { declared: known, module: universe };
  }

  /** Whether a name is imported from a package other than encore.dev. */
  isPackaged(name: string, module: SourceModule): boolean {
    const from = module.scope.topLevel.has(name) ? undefined : module.scope.imports.get(name)?.from;
    if (from === undefined || /^(encore\.dev(\/|$)|~encore\/|\.{0,2}\/)/.test(from)) return false;
    const found = this.modules.resolve(module, from);
    return (
      found.kind === "opaque" ||
      found.kind === "empty" ||
      (found.kind === "file" && found.path.includes("/node_modules/"))
    );
  }

  /** `name` as an importer sees it. */
  exported(name: string, module: SourceModule, visited = new Set<string>()): Found | undefined {
    const key = `${module.path}\0${name}`;
    if (visited.has(key)) return undefined;
    visited.add(key);
    const { scope } = module;
    const own = (name === "default" ? scope.defaultExport : undefined) ?? scope.exports.get(name);
    if (own) return { declared: own, module };
    for (const reexport of scope.reexports) {
      const found = this.#reexported(name, reexport, module, visited);
      if (found) return found;
    }
    return undefined;
  }

  #reexported(name: string, reexport: Reexport, module: SourceModule, visited: Set<string>): Found | undefined {
    const item =
      reexport.kind === "list" ? reexport.items.find((candidate) => candidate.exported === name) : { original: name };
    const target = item && this.#quietly(module, reexport.from);
    return target && this.exported(item.original, target, visited);
  }

  #quietly(module: SourceModule, specifier: string): SourceModule | undefined {
    try {
      return this.modules.follow(module, specifier);
    } catch (error) {
      if (error instanceof Refusal) return undefined;
      throw error;
    }
  }

  #imported(imported: ImportedName, module: SourceModule): Found | undefined {
    const target = this.#followImport(imported, module);
    if (!target) return undefined;
    const { what } = imported;
    if (what.kind === "namespace") return { declared: this.#namespace(target), module: target };
    const found = this.exported(what.kind === "default" ? "default" : what.name, target);
    if (!found) {
      const message = what.kind === "default" ? "default export not found" : `object not found: ${what.name}`;
      this.diagnostics.report(message, spotOf(imported.node));
    }
    return found;
  }

  #followImport(imported: ImportedName, module: SourceModule): SourceModule | undefined {
    try {
      return this.modules.follow(module, imported.from);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.diagnostics.report(`import not found: ${error.message}`, spotOf(imported.node));
      return undefined;
    }
  }

  #namespace(module: SourceModule): Declared {
    let declared = this.#asNamespace.get(module);
    if (!declared) this.#asNamespace.set(module, (declared = { kind: "module", name: undefined, node: module.file }));
    return declared;
  }
}
