// Serves copies of template databases to the test files of one worker, one file after the other, each its own copy at
// an address of its own. One process for all of them: starting one per file cost more than most files' tests.
// Ends when its IPC channel does.
import type { Server, Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import type { CopyErrand, ServedAnswer } from "./copy-errands";
import { appName, ownerName } from "./embedded/names";
import { compilerFlags, defaultIdleOwnerMs } from "./embedded/options";
import { Scheduler } from "./embedded/scheduler";
import { type Database, listen } from "./embedded/server";
import { openCopy } from "./embedded/template-files";

interface Copy {
  server: Server;
  sockets: Set<Socket>;
  database?: Promise<Database>;
  dropped: boolean;
}

const copies = new Map<number, Copy>();

const say = (answer: ServedAnswer): void => void process.send?.(answer);

/** The copy is made at the first connection: files that touch no database pay nothing. */
async function serve({ id, templateDir, database: name }: Extract<CopyErrand, { templateDir: string }>): Promise<void> {
  const open = async (): Promise<Database> => {
    const engine = await openCopy(templateDir, name);
    const onFatal = (error: unknown): void => {
      if (copy.dropped) return;
      process.stderr.write(`a test's database failed: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(1);
    };
    return { engine, scheduler: new Scheduler(engine, { idleOwnerMs: defaultIdleOwnerMs, onFatal }) };
  };
  const { server, port } = await listen(
    { host: "127.0.0.1", port: 0 },
    { open: (asked) => Promise.resolve(asked === name ? (copy.database ??= open()) : undefined) },
  );
  const copy: Copy = { server, sockets: new Set(), dropped: false };
  server.on("connection", (socket) => {
    copy.sockets.add(socket);
    socket.once("close", () => copy.sockets.delete(socket));
  });
  copies.set(id, copy);
  const urlOf = (user: string): string => `postgresql://${user}@127.0.0.1:${port}/${name}?sslmode=disable`;
  say({ id, url: urlOf(appName), ownerUrl: urlOf(ownerName) });
}

async function drop(id: number): Promise<void> {
  const copy = copies.get(id);
  if (!copy) return;
  copies.delete(id);
  copy.dropped = true;
  copy.server.close();
  for (const socket of copy.sockets) socket.destroy();
  await (await copy.database)?.engine.discard();
  // Memory of WebAssembly is outside the heap: waiting until the heap is full would keep several databases.
  globalThis.gc?.();
}

setFlagsFromString(compilerFlags(true));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
process.on("disconnect", () => process.exit(0));
process.on("message", (errand: CopyErrand) => {
  const { id } = errand;
  const done = "drop" in errand ? drop(id) : serve(errand);
  done.catch((error: unknown) => say({ id, failed: error instanceof Error ? error.message : String(error) }));
});
