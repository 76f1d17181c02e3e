// Copies of a template that live in memory. What every copy needs is read and compiled once per process: the files of
// the template, those of Postgres itself, and its WebAssembly, which is most of what a start costs.
import { MemoryFS } from "@electric-sql/pglite";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Engine, type EngineSource } from "./engine";

/** The types of Node 20 leave it out. */
declare const WebAssembly: { compile(code: Uint8Array): Promise<WebAssembly.Module> };

/** Where Postgres looks for its data, in its own file system. */
const dataFolder = "/pglite/data";

interface TemplateFiles {
  folders: string[];
  /** A thousand small ones. */
  files: { folder: string; name: string; bytes: Uint8Array }[];
}

function readTemplate(dir: string): TemplateFiles {
  const found: TemplateFiles = { folders: [], files: [] };
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    const folder = dataFolder + entry.parentPath.slice(dir.length).replaceAll("\\", "/");
    if (entry.isDirectory()) found.folders.push(`${folder}/${entry.name}`);
    // Not a Buffer: a copy is a slice() of it to write into, which of a Buffer is the same memory.
    else found.files.push({ folder, name: entry.name, bytes: new Uint8Array(readFileSync(file)) });
  }
  return found;
}

/** What is used of Emscripten's file system in memory; its types are not installed. */
interface EngineFiles {
  mkdirTree(path: string, mode: number): void;
  lookupPath(path: string): { node: EngineFile };
}
interface EngineFile {
  node_ops: { mknod(folder: EngineFile, name: string, mode: number, device: number): EngineFile };
  contents: Uint8Array;
  usedBytes: number;
}

/** S_IFREG, for its owner. */
const regularFile = 0o100_600;

class CopyInMemory extends MemoryFS {
  constructor(private readonly template: TemplateFiles) {
    super();
  }

  override initialSyncFs(): Promise<void> {
    const fs = this.pg?.Module.FS as EngineFiles | undefined;
    if (!fs) throw new Error("the file system is not there yet");
    const folders = new Map<string, EngineFile>();
    for (const folder of [dataFolder, ...this.template.folders]) {
      fs.mkdirTree(folder, 0o700);
      folders.set(folder, fs.lookupPath(folder).node);
    }
    // By its folder's node: writeFile() would walk each path three times.
    for (const { folder, name, bytes } of this.template.files) {
      const parent = folders.get(folder);
      if (!parent) throw new Error(`${folder} was not made before what it holds`);
      const file = parent.node_ops.mknod(parent, name, regularFile, 0);
      file.contents = bytes.slice();
      file.usedBytes = bytes.length;
    }
    return Promise.resolve();
  }
}

type Compiled = Pick<EngineSource, "fsBundle" | "pgliteWasmModule" | "initdbWasmModule">;

async function compile(): Promise<Compiled> {
  const dir = dirname(createRequire(import.meta.url).resolve("@electric-sql/pglite"));
  const [pgliteWasmModule, initdbWasmModule] = await Promise.all(
    ["pglite.wasm", "initdb.wasm"].map((file) => WebAssembly.compile(readFileSync(join(dir, file)))),
  );
  if (!pgliteWasmModule || !initdbWasmModule) throw new Error("nothing was compiled");
  return { pgliteWasmModule, initdbWasmModule, fsBundle: new Blob([readFileSync(join(dir, "pglite.data"))]) };
}

const templates = new Map<string, TemplateFiles>();
let compiled: Promise<Compiled> | undefined;

/** The database `name` as the template's folder has it. What is written goes when the engine is discarded. */
export async function openCopy(templateDir: string, name: string): Promise<Engine> {
  compiled ??= compile();
  let template = templates.get(templateDir);
  if (!template) templates.set(templateDir, (template = readTemplate(join(templateDir, name))));
  return Engine.openFrom({ ...(await compiled), fs: new CopyInMemory(template) }, name);
}
