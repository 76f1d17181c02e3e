// What the demo remembers between starts: who it is and whether the corpus is in. Written before the person is
// registered, so that a kill at any moment leaves credentials that work.
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Person } from "./api-client";

export interface DemoState extends Person {
  /** Set when every document has been taken in. */
  completed?: { documents: number; chunks: number; seconds: number };
}

const FILE = "demo.json";

/** Undefined before the first start. */
export function findState(stateDir: string): DemoState | undefined {
  const file = join(stateDir, FILE);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as DemoState) : undefined;
}

/** Somebody new, stored at once. */
export function createState(stateDir: string): DemoState {
  const state: DemoState = {
    email: `demo-${randomBytes(4).toString("hex")}@groundwork.example`,
    password: randomBytes(18).toString("base64url"),
    organisation: "Demo",
  };
  saveState(stateDir, state);
  return state;
}

/** Readable by the owner only; whole or not at all. */
export function saveState(stateDir: string, state: DemoState): void {
  const file = join(stateDir, FILE);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
