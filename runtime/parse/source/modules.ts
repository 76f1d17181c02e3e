// Source files as modules: parsed once, with what they declare, import and export. Files of packages are read
// only when a type leads into them.
import { Refusal, type Spot } from "../errors";
import { ts, type TypeScript } from "../typescript";
import { declarationsOf, type Scope } from "./scope";
import type { Files } from "./files";
import { Resolver, type Resolution } from "./resolver";
import { syntaxTree } from "./syntax";
import { firstSyntaxError } from "./syntax-errors";
import { UNIVERSE, UNIVERSE_FILE } from "./universe";

export interface SourceModule {
  path: string;
  /** The bare specifier it was first imported by (`encore.dev/api`), if any. */
  specifier: string | undefined;
  file: TypeScript.SourceFile;
  scope: Scope;
}

export const spotOf = (node: TypeScript.Node): Spot => {
  const file = node.getSourceFile();
  return { path: file.fileName, text: file.text, offset: node.getStart(file) };
};

/** Where a declaration starts after `export` and `default`. */
export function declarationSpot(node: TypeScript.Node): Spot {
  const modifiers = ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : [];
  const outer = modifiers.findLast(
    (m) => m.kind === ts.SyntaxKind.ExportKeyword || m.kind === ts.SyntaxKind.DefaultKeyword,
  );
  if (!outer) return spotOf(node);
  const text = node.getSourceFile().text;
  const rest = /^\s*/.exec(text.slice(outer.end))?.[0].length ?? 0;
  return spotAt(node, outer.end + rest);
}

export const spotAt = (node: TypeScript.Node, offset: number): Spot => ({ ...spotOf(node), offset });

export class Modules {
  readonly #byPath = new Map<string, SourceModule>();
  readonly #failed = new Set<string>();
  readonly resolver: Resolver;
  readonly universe: SourceModule;
  readonly clients: SourceModule;
  readonly auth: SourceModule;
  readonly #empty: SourceModule;

  constructor(
    readonly files: Files,
    readonly root: string,
  ) {
    this.resolver = new Resolver(files, root);
    this.universe = this.#parse(UNIVERSE_FILE, UNIVERSE, "__universe__");
    this.clients = this.#parse("encore.gen/clients", "", undefined);
    this.auth = this.#parse("encore.gen/auth", "", undefined);
    this.#empty = this.#parse("empty", "", undefined);
  }

  /** Every module read so far, in reading order. */
  all(): SourceModule[] {
    return [...this.#byPath.values()];
  }

  loaded(path: string): SourceModule | undefined {
    return this.#byPath.get(path);
  }

  /** @throws Refusal at the first syntax error */
  load(path: string, specifier?: string): SourceModule {
    const known = this.#byPath.get(path);
    if (known) return Object.assign(known, { specifier: known.specifier ?? specifier });
    const text = this.files.read(path);
    if (text === null) throw new Refusal("unable to load file from filesystem", undefined, { remedy: path });
    const module = this.#parse(path, text, specifier);
    this.#refuseSyntaxErrors(module);
    this.#byPath.set(path, module);
    return module;
  }

  resolve(from: SourceModule, specifier: string): Resolution {
    return this.resolver.resolve(from.file.fileName, specifier);
  }

  /**
   * The module an import leads to; undefined for what has no types to read.
   * @throws Refusal when it cannot be resolved or read
   */
  follow(from: SourceModule, specifier: string): SourceModule | undefined {
    const found = this.resolve(from, specifier);
    switch (found.kind) {
      case "clients":
        return this.clients;
      case "auth":
        return this.auth;
      case "empty":
        return this.#empty;
      case "opaque":
        return undefined;
      case "missing":
        throw new Refusal(`unable to resolve module ${specifier}`, undefined);
      case "file": {
        if (this.#failed.has(found.path)) return undefined;
        const relative = /^(\.{1,2}\/|\/)/.test(specifier);
        return this.load(found.path, relative ? undefined : specifier);
      }
    }
  }

  #parse(path: string, text: string, specifier: string | undefined): SourceModule {
    const file = syntaxTree(path, text);
    return { path, specifier, file, scope: declarationsOf(file.statements) };
  }

  #refuseSyntaxErrors(module: SourceModule): void {
    const first = firstSyntaxError(module.file);
    if (!first) return;
    this.#failed.add(module.path);
    throw new Refusal(first.message, { path: module.path, text: module.file.text, offset: first.offset });
  }
}
