// Readiness says whether the database answers: not whether the pool has a free connection, and soon also when the
// database hangs instead of failing.
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { cfg } from "../../config";
import { AppDB } from "../../database";
import { checkReadiness } from "../../telemetry/probes";
import { createConnectionProbe, type ConnectionProbe } from "../connection-probe";
import { DbError } from "../errors";
import { appPool } from "../pool";
import { refuseUnsafe } from "../start";
import { withSystem } from "../tenant";

const cleanUp: (() => void)[] = [];
afterEach(() => {
  for (const undo of cleanUp.splice(0).reverse()) undo();
});

const probeOf = (url: string, timeoutMs = 5_000): ConnectionProbe => {
  const probe = createConnectionProbe(url, timeoutMs);
  cleanUp.push(() => probe.close());
  return probe;
};

/** A database that takes connections and never says a word; `sockets` are those that are open. */
async function silentDatabase(): Promise<{ url: string; sockets: Set<Socket>; server: Server }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.resume();
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanUp.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `postgresql://app:x@127.0.0.1:${port}/app?sslmode=disable`, sockets, server };
}

/** The real database behind a line that can be made silent: connections stay, nothing passes. */
async function throughDatabase(): Promise<{ url: string; sockets: Set<Socket>; isSilent: boolean }> {
  const { url, sockets, server } = await silentDatabase();
  const target = new URL(AppDB.connectionString);
  const line = {
    url: Object.assign(new URL(AppDB.connectionString), { host: new URL(url).host }).href,
    sockets,
    isSilent: false,
  };
  server.on("connection", (socket: Socket) => {
    const back = connect(Number(target.port || "5432"), target.hostname);
    socket.on("data", (bytes) => line.isSilent || back.write(bytes)).on("close", () => back.destroy());
    back.on("data", (bytes) => line.isSilent || socket.write(bytes)).on("close", () => socket.destroy());
    back.on("error", () => undefined);
  });
  return line;
}

describe("readiness", () => {
  it("is true while every connection of the pool is in use", async () => {
    const held = await Promise.all(Array.from({ length: cfg.db.poolMax }, () => appPool().connect()));
    try {
      expect(appPool().idleCount).toBe(0);
      const { ready, checks } = await checkReadiness();
      expect(checks.find(({ name }) => name === "database")).toMatchObject({ ok: true });
      expect(ready).toBe(true);
      expect(appPool().waitingCount).toBe(0);
    } finally {
      for (const client of held) client.release();
    }
  });
});

describe("the probe of a database", () => {
  it("keeps one connection, however often and by how many it is asked", async () => {
    const { url, sockets } = await throughDatabase();
    const probe = probeOf(url);
    await Promise.all(Array.from({ length: 20 }, () => probe.check()));
    await probe.check();
    expect(sockets.size).toBe(1);
    probe.close();
    await expect.poll(() => sockets.size).toBe(0);
    await expect(probe.check()).resolves.toBeUndefined();
  });

  it("fails within its time on a database that takes connections and says nothing, and leaves none behind", async () => {
    const { url, sockets } = await silentDatabase();
    const probe = probeOf(url, 60);
    for (let round = 0; round < 3; round++) {
      const startedAt = performance.now();
      await Promise.all([1, 2, 3].map(() => expect(probe.check()).rejects.toThrow()));
      expect(performance.now() - startedAt).toBeLessThan(1_500);
    }
    await expect.poll(() => sockets.size).toBe(0);
  });

  it("fails within its time when the database falls silent later, and works again when it is back", async () => {
    const line = await throughDatabase();
    const probe = probeOf(line.url, 400);
    await probe.check();
    line.isSilent = true;
    await expect(probe.check()).rejects.toThrow();
    await expect(probe.check()).rejects.toThrow();
    line.isSilent = false;
    await expect(probe.check()).resolves.toBeUndefined();
  });

  it("fails at once where nobody listens", async () => {
    const { url, server } = await silentDatabase();
    await new Promise((resolve) => server.close(resolve));
    await expect(probeOf(url).check()).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});

describe("every connection of the pool", () => {
  const limits = `select current_setting('idle_in_transaction_session_timeout') as idle,
    current_setting('lock_timeout') as lock, current_setting('statement_timeout') as statement`;
  const expected = { idle: "30s", lock: "4s", statement: "5s" };

  it("has limits for idle transactions, locks and statements", async () => {
    expect((await appPool().query(limits)).rows).toEqual([expected]);
    expect(await withSystem("test", (tx) => tx.query(limits))).toEqual([expected]);
  });
});

describe("a start on a database that may not be used", () => {
  const misuse = new DbError("misuse", "production refuses the database login postgres");

  it("asks again while the database is away, and stops when it has answered", async () => {
    const answers = [new DbError("unavailable", "away"), undefined];
    const ended: number[] = [];
    await refuseUnsafe(
      (code) => ended.push(code),
      async () => {
        const answer = answers.shift();
        if (answer) throw answer;
        return { role: null };
      },
    );
    expect([answers, ended]).toEqual([[], []]);
  });

  it("ends the process in production, elsewhere it is never ready", async () => {
    const ended: number[] = [];
    const refuse = (isProduction: boolean): Promise<void> =>
      refuseUnsafe(
        (code) => ended.push(code),
        () => Promise.reject(misuse),
        isProduction,
      );
    await refuse(false);
    expect(ended).toEqual([]);
    expect((await checkReadiness(1e9)).ready).toBe(false);
    await refuse(true);
    expect(ended).toEqual([1]);
  });
});
