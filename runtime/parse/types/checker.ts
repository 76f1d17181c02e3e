// TypeScript's own checker, for extended mode only: what a type is that a package computes, such as `z.infer<typeof schema>`.
// It is made at the first such type, because it reads every file that the app's types lead into.
import { dirname, join } from "node:path";
import type { Modules } from "../source/modules";
import { ts, type TypeScript } from "../typescript";

/** A type with what is needed to look into it. */
export interface Checked {
  type: TypeScript.Type;
  checker: TypeScript.TypeChecker;
  /** Whether a type is one of those that come with TypeScript: `Date` and not an interface of that name. */
  isBuiltIn(type: TypeScript.Type): boolean;
}

function nodeAt(from: TypeScript.Node, wanted: TypeScript.Node): TypeScript.Node | undefined {
  if (from.pos === wanted.pos && from.end === wanted.end && from.kind === wanted.kind) return from;
  return ts.forEachChild(from, (child) =>
    child.pos <= wanted.pos && child.end >= wanted.end ? nodeAt(child, wanted) : undefined,
  );
}

export class Checker {
  #program: TypeScript.Program | undefined;

  constructor(readonly modules: Modules) {}

  /** The type that a node of the app's sources means. */
  typeOf(node: TypeScript.TypeNode): Checked | undefined {
    const { fileName } = node.getSourceFile();
    const program = this.#programWith(fileName);
    const file = program.getSourceFile(fileName);
    const own = file && nodeAt(file, node);
    if (!own) return undefined;
    const checker = program.getTypeChecker();
    const isBuiltIn = ({ symbol }: TypeScript.Type): boolean =>
      (symbol as TypeScript.Symbol | undefined)?.declarations?.some((declaration) =>
        program.isSourceFileDefaultLibrary(declaration.getSourceFile()),
      ) ?? false;
    return { type: checker.getTypeFromTypeNode(own as TypeScript.TypeNode), checker, isBuiltIn };
  }

  #programWith(path: string): TypeScript.Program {
    if (this.#program?.getSourceFile(path)) return this.#program;
    const own = this.modules
      .all()
      .map((module) => module.path)
      .filter((other) => !other.includes("/node_modules/"));
    const options = this.#options();
    return (this.#program = ts.createProgram({
      rootNames: [...new Set([...own, path])],
      options,
      host: this.#host(options),
      ...(this.#program && { oldProgram: this.#program }),
    }));
  }

  /** The app's own settings; without them, those of Encore's templates. */
  #options(): TypeScript.CompilerOptions {
    const { root, files } = this.modules;
    const { config } = ts.readConfigFile(join(root, "tsconfig.json"), (path) => files.read(path) ?? undefined) as {
      config?: object;
    };
    const host: TypeScript.ParseConfigHost = {
      ...ts.sys,
      readFile: (path) => files.read(path) ?? undefined,
      fileExists: (path) => files.isFile(path),
      readDirectory: () => [],
    };
    const { options } = ts.parseJsonConfigFileContent(
      { compilerOptions: { target: "ES2022", module: "ESNext", moduleResolution: "bundler", strict: true }, ...config },
      host,
      root,
    );
    return { ...options, noEmit: true, skipLibCheck: true, types: options.types ?? [] };
  }

  /** Reads through the parse's own files, so that the cache knows what was looked at; TypeScript's library goes by its version. */
  #host(options: TypeScript.CompilerOptions): TypeScript.CompilerHost {
    const { files } = this.modules;
    const host = ts.createCompilerHost(options, true);
    const library = dirname(ts.getDefaultLibFilePath(options));
    const isLibrary = (path: string): boolean => path.startsWith(library);
    return {
      ...host,
      readFile: (path) => (isLibrary(path) ? ts.sys.readFile(path) : (files.read(path) ?? undefined)),
      fileExists: (path) => (isLibrary(path) ? ts.sys.fileExists(path) : files.isFile(path)),
      directoryExists: (path) => files.isFolder(path),
      getSourceFile: (path, languageVersion) => {
        const text = isLibrary(path) ? ts.sys.readFile(path) : files.read(path);
        return typeof text === "string" ? ts.createSourceFile(path, text, languageVersion, true) : undefined;
      },
    };
  }
}
