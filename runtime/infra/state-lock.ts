// One holder per state folder, kept by the kernel: a listening socket whose name is the hash of the folder's
// real path ends with its process, whatever ended that. Two processes on one PGlite folder would lose each
// other's writes without a word. The socket answers whoever connects with what is known about the holder.
//   Linux: abstract Unix socket (no file). Windows: named pipe. Elsewhere: a socket file, taken over safely
//   when nobody answers. Limit: containers that share a folder but no network namespace do not see each other.
import { createHash } from "node:crypto";
import { mkdirSync, realpathSync, rmdirSync, rmSync, statSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Holder {
  pid: number;
  /** ISO time. */
  since: string;
  /** Port of the app, when it has one. */
  port?: number;
  appRoot?: string;
}

export interface StateLock {
  release(): Promise<void>;
}

export class LockedError extends Error {
  override name = "LockedError";

  constructor(readonly holder: Holder | undefined) {
    super("locked");
  }
}

const takeoverMs = 10_000;
const answerMs = 500;

function lockName(dir: string, purpose: string): string {
  const hash = createHash("sha256")
    .update(`${purpose}\n${realpathSync(dir)}`)
    .digest("hex")
    .slice(0, 40);
  if (process.platform === "linux") return `\0groundwork-${hash}`;
  if (process.platform === "win32") return `\\\\.\\pipe\\groundwork-${hash}`;
  return join(tmpdir(), `groundwork-${hash}.sock`);
}

function listen(name: string, holder: Holder): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.end(JSON.stringify(holder));
  });
  server.unref();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(name, () => resolve(server));
  });
}

/** What the holder says of itself; `undefined` when it does not answer in time, `"nobody"` when none is there. */
function askHolder(name: string): Promise<Holder | "nobody" | undefined> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(name);
    socket.setTimeout(answerMs, () => socket.destroy());
    socket.on("data", (chunk) => (text += chunk.toString()));
    socket.on("error", (error: NodeJS.ErrnoException) =>
      resolve(error.code === "ECONNREFUSED" || error.code === "ENOENT" ? "nobody" : undefined),
    );
    socket.on("close", () => resolve(parseHolder(text)));
  });
}

function parseHolder(text: string): Holder | undefined {
  try {
    return JSON.parse(text) as Holder;
  } catch {
    return undefined;
  }
}

/** Removes a socket file that nobody listens at. Only one process at a time looks and removes. */
async function removeStale(file: string): Promise<void> {
  const guard = `${file}.takeover`;
  try {
    mkdirSync(guard);
  } catch {
    const age = Date.now() - (statSync(guard, { throwIfNoEntry: false })?.mtimeMs ?? 0);
    if (age < takeoverMs) return;
    rmdirSync(guard);
    return removeStale(file);
  }
  try {
    if ((await askHolder(file)) === "nobody") rmSync(file, { force: true });
  } finally {
    rmdirSync(guard);
  }
}

/**
 * Takes the lock of an existing folder for one purpose (the app's, the database's).
 * @throws LockedError when somebody has it
 */
export async function acquireLock(dir: string, purpose: string, holder: Holder): Promise<StateLock> {
  const name = lockName(dir, purpose);
  const isFile = process.platform !== "linux" && process.platform !== "win32";
  for (let attempt = 0; ; attempt++) {
    try {
      const server = await listen(name, holder);
      return { release: () => new Promise((resolve) => server.close(() => resolve())) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
      const other = await askHolder(name);
      if (other !== "nobody" || attempt >= 3) throw new LockedError(other === "nobody" ? undefined : other);
      if (isFile) await removeStale(name);
    }
  }
}

/** As `acquireLock`, but waits up to `waitMs` for the one before to end. */
export async function waitForLock(dir: string, purpose: string, holder: Holder, waitMs: number): Promise<StateLock> {
  const deadline = Date.now() + waitMs;
  for (;;) {
    try {
      return await acquireLock(dir, purpose, holder);
    } catch (error) {
      if (!(error instanceof LockedError) || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
