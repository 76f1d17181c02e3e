// Readiness says whether the database answers: not whether the pool has a free connection, and soon also when the
// database hangs instead of failing.
import { afterEach, describe, expect, it } from "vitest";
import { cfg } from "../../config";
import { checkReadiness } from "../../telemetry/probes";
import { createConnectionProbe, type ConnectionProbe } from "../connection-probe";
import { DbError } from "../errors";
import { appPool } from "../pool";
import { refuseUnsafe } from "../start";
import { withSystem } from "../tenant";
import { endLines, onEnd, silentDatabase, throughDatabase } from "./line";

afterEach(endLines);

const probeOf = (url: string, timeoutMs = 5_000): ConnectionProbe => {
  const probe = createConnectionProbe(url, timeoutMs);
  onEnd(() => probe.close());
  return probe;
};

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
      expect(performance.now() - startedAt).toBeLessThan(10_000);
    }
    await expect.poll(() => sockets.size).toBe(0);
  });

  it("fails within its time when the database falls silent later, and works again when it is back", async () => {
    const line = await throughDatabase();
    const probe = probeOf(line.url, 400);
    // Where the machine pauses for longer than that, it is asked once more.
    const works = (): Promise<boolean> =>
      probe.check().then(
        () => true,
        () => false,
      );
    await expect.poll(works).toBe(true);
    line.isSilent = true;
    await expect(probe.check()).rejects.toThrow();
    await expect(probe.check()).rejects.toThrow();
    line.isSilent = false;
    await expect.poll(works).toBe(true);
  });

  it("fails at once where nobody listens", async () => {
    const { url, server } = await silentDatabase();
    await new Promise((resolve) => server.close(resolve));
    await expect(probeOf(url).check()).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});

describe("every transaction", () => {
  const limits = `select current_setting('idle_in_transaction_session_timeout') as idle,
    current_setting('lock_timeout') as lock, current_setting('statement_timeout') as statement`;
  const expected = { idle: "30s", lock: "4s", statement: "5s" };

  it("has limits for idle transactions, locks and statements", async () => {
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
    const refuse = (isProduction: boolean): Promise<boolean> =>
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
