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
  files: [path: string, bytes: Uint8Array][];
}

function readTemplate(dir: string): TemplateFiles {
  const found: TemplateFiles = { folders: [], files: [] };
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    const path = dataFolder + file.slice(dir.length).replaceAll("\\", "/");
    if (entry.isDirectory()) found.folders.push(path);
    // Not a Buffer: the file system takes a slice() of it to write into, which of a Buffer is the same memory.
    else found.files.push([path, new Uint8Array(readFileSync(file))]);
  }
  return found;
}

/** What is used of Emscripten's file system; its types are not installed. */
interface EngineFiles {
  mkdirTree(path: string, mode: number): void;
  writeFile(path: string, bytes: Uint8Array): void;
}

class CopyInMemory extends MemoryFS {
  constructor(private readonly template: TemplateFiles) {
    super();
  }

  override initialSyncFs(): Promise<void> {
    const fs = this.pg?.Module.FS as EngineFiles | undefined;
    if (!fs) throw new Error("the file system is not there yet");
    fs.mkdirTree(dataFolder, 0o700);
    for (const folder of this.template.folders) fs.mkdirTree(folder, 0o700);
    for (const [path, bytes] of this.template.files) fs.writeFile(path, bytes);
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
