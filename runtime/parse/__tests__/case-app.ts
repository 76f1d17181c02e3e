// Builds tiny apps in a scratch folder: the cases of the parity kit, and apps written out in a test.
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkJson } from "../check";

const packageRoot = join(dirname(fileURLToPath(import.meta.url)), "../../..");

const SKELETON: Record<string, string> = {
  "encore.app": `{ "id": "", "lang": "typescript" }\n`,
  "package.json": `{ "name": "case", "private": true, "type": "module", "dependencies": { "encore.dev": "1.58.6" } }\n`,
  "tsconfig.json": `{ "compilerOptions": { "target": "ES2022", "module": "ESNext", "moduleResolution": "bundler", "strict": true, "paths": { "~encore/*": ["./encore.gen/*"] } } }\n`,
};

export class Scratch {
  readonly #base = realpathSync(mkdtempSync(join(tmpdir(), "groundwork-parse-")));

  /** The folder is always named `app`: the name matters when the root itself becomes a service. */
  readonly root = join(this.#base, "app");

  write(path: string, contents: string): void {
    const file = join(this.root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, contents);
  }

  remove(path: string): void {
    rmSync(join(this.root, path), { recursive: true, force: true });
  }

  #empty(): void {
    rmSync(this.root, { recursive: true, force: true });
    mkdirSync(this.root);
    for (const [path, contents] of Object.entries(SKELETON)) this.write(path, contents);
    symlinkSync(join(packageRoot, "node_modules"), join(this.root, "node_modules"));
  }

  /** A case of the parity kit. */
  fromCase(folder: string): string {
    this.#empty();
    cpSync(folder, this.root, {
      recursive: true,
      filter: (path) => !/(case\.json|expected\.txt|model\.json)$/.test(path),
    });
    return this.root;
  }

  fromFiles(files: Record<string, string>): string {
    this.#empty();
    for (const [path, contents] of Object.entries(files)) this.write(path, contents);
    return this.root;
  }

  dispose(): void {
    rmSync(this.#base, { recursive: true, force: true });
  }
}

interface Facts {
  services?: { name: string; endpoints?: { name: string; request: string | null; response: string | null }[] }[];
}

/** The errors of an app, or the types of its endpoints. */
export function outcomeOf(root: string): string {
  const result = checkJson(root);
  if (!result.ok) return result.errors.join(" | ");
  const { services = [] } = result.model as Facts;
  const endpoints = services.flatMap((service) => service.endpoints ?? []);
  return endpoints.map((e) => `${e.name}: ${e.request} -> ${e.response}`).join("; ") || "accepted";
}
