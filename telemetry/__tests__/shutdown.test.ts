import { beforeEach, describe, expect, test, vi } from "vitest";

/** A fresh copy of the module for each test: a process ends only once. */
let shutdown: typeof import("../shutdown");
let probes: typeof import("../probes");

beforeEach(async () => {
  vi.resetModules();
  shutdown = await import("../shutdown");
  probes = await import("../probes");
});

describe("shutdown", () => {
  test("runs the hooks that stop intake first, then those that close, each in reverse order and once", async () => {
    const order: string[] = [];
    shutdown.onShutdown("pool", () => void order.push("pool"), "idle");
    shutdown.onShutdown("relay", () => void order.push("relay"));
    shutdown.onShutdown("traces", () => void order.push("traces"), "idle");
    shutdown.onShutdown("worker", () => void order.push("worker"));
    shutdown.onShutdown("taken back", () => void order.push("never"))();
    await Promise.all([shutdown.shutDown(), shutdown.shutDown()]);
    expect(order).toEqual(["worker", "relay", "traces", "pool"]);
  });

  test("closes connections only when the work in flight has ended", async () => {
    const order: string[] = [];
    let finish = (): void => {};
    const work = shutdown.trackWork(
      () =>
        new Promise<void>((resolve) => {
          finish = resolve;
        }),
    );
    shutdown.onShutdown("worker", () => {
      order.push("worker");
      setTimeout(finish, 30);
    });
    shutdown.onShutdown("pool", () => void order.push("pool"), "idle");
    void work.then(() => order.push("work done"));
    await shutdown.shutDown();
    expect(order).toEqual(["worker", "work done", "pool"]);
    expect(shutdown.workInFlight()).toBe(0);
  });

  test("a draining process is not ready, and a failing hook holds nobody up", async () => {
    const order: string[] = [];
    shutdown.onShutdown("pool", () => void order.push("pool"), "idle");
    shutdown.onShutdown("broken", () => {
      throw new Error("cannot close");
    });
    expect(shutdown.isDraining()).toBe(false);
    const ended = shutdown.shutDown();
    expect(shutdown.isDraining()).toBe(true);
    expect(await probes.checkReadiness()).toMatchObject({ ready: false, draining: true });
    await ended;
    expect(order).toEqual(["pool"]);
  });

  test("counts work that throws or rejects as ended", async () => {
    expect(() =>
      shutdown.trackWork(() => {
        throw new Error("no");
      }),
    ).toThrow("no");
    await expect(shutdown.trackWork(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(shutdown.workInFlight()).toBe(0);
  });
});
