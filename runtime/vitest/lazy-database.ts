// A test file's database, made only when the file first connects: the address stands from the start, behind it
// a listener in the test's own process clones the template on the first connection and passes bytes through.
// Files that touch no database pay nothing.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClonedDatabase, Template } from "../infra";

/** Loaded by the files that touch a database: every file pays for what this one imports. */
const cloneDatabase = async (template: Template): Promise<ClonedDatabase> =>
  (await import("../infra/test-databases")).cloneDatabase(template);

export interface LazyDatabase {
  url: string;
  close(): Promise<void>;
}

function connectTo(url: string): Socket {
  const target = new URL(url);
  const folder = target.searchParams.get("host");
  if (folder) return connect(join(folder, `.s.PGSQL.${target.searchParams.get("port") ?? (target.port || "5432")}`));
  return connect(Number(target.port || "5432"), target.hostname);
}

function passThrough(client: Socket, server: Socket): void {
  client.pipe(server);
  server.pipe(client);
  client.on("error", () => server.destroy());
  server.on("error", () => client.destroy());
  client.on("close", () => server.destroy());
  server.on("close", () => client.destroy());
}

/** Same user, password and database as the clone will have, another place. */
function addressOf(server: Server, template: Template): string {
  const { port } = server.address() as AddressInfo;
  const url = new URL(template.url);
  return `postgresql://${url.username || "encore"}:${url.password || "encore"}@127.0.0.1:${port}${url.pathname}?sslmode=disable`;
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
}

export async function lazyDatabase(template: Template): Promise<LazyDatabase> {
  if (template.kind === "native") {
    // A clone on a server takes 50 ms and has a name of its own, which a passed-through start-up would not know.
    const clone = await cloneDatabase(template);
    return { url: clone.url, close: clone.drop };
  }
  let clone: Promise<ClonedDatabase> | undefined;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    sockets.add(client);
    client.on("close", () => sockets.delete(client));
    clone ??= cloneDatabase(template);
    clone.then(
      (made) => passThrough(client, connectTo(made.url)),
      (error: unknown) => client.destroy(error instanceof Error ? error : new Error(String(error))),
    );
  });
  await listen(server);
  server.unref();
  return {
    url: addressOf(server, template),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await (await clone?.catch(() => undefined))?.drop();
    },
  };
}

/** A private folder for what a test file's buckets keep. */
export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "groundwork-test-"));
  chmodSync(path, 0o700);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
