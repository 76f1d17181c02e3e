// The order of the end: nothing that takes work waits for anything else, nothing that work needs ends before it.
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { HostLog, Part } from "../../host";
import { startApp } from "../../http/__tests__/support/app-process";
import { drainAll } from "../lifecycle";

function recorder() {
  const lines: string[] = [];
  const log: HostLog = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (message) => lines.push(message),
    prepareInfo: () => null,
  };
  const part = (name: string, takesWork: boolean, work: Promise<void> = Promise.resolve()): Part => ({
    name,
    takesWork,
    start: () => Promise.resolve(),
    async drain() {
      lines.push(`${name} begins`);
      await work;
      lines.push(`${name} ends`);
    },
  });
  return { lines, host: { log }, part };
}

test("a slow message holds up neither the listener's end nor a store's life", async () => {
  const { lines, host, part } = recorder();
  let finish = (): void => undefined;
  const slow = new Promise<void>((resolve) => (finish = resolve));
  const done = drainAll(host, [
    part("databases", false),
    part("caches", false),
    part("http", true),
    part("pub/sub", true, slow),
  ]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(lines).toEqual(["http begins", "pub/sub begins", "http ends"]);
  finish();
  await done;
  expect(lines.slice(3)).toEqual([
    "pub/sub ends",
    "caches begins",
    "caches ends",
    "databases begins",
    "databases ends",
  ]);
});

test("a part that fails to drain is logged and does not keep the others from it", async () => {
  const { lines, host, part } = recorder();
  await drainAll(host, [part("databases", false), part("http", true, Promise.reject(new Error("no")))]);
  expect(lines).toEqual(["http begins", "draining http failed", "databases begins", "databases ends"]);
});

test("what Kubernetes grants beyond the drain is time in which health says 503 and requests are still served", async () => {
  const folder = mkdtempSync(join(tmpdir(), "gw-ledger-"));
  const ledger = join(folder, "ledger");
  const env = { LEDGER_FILE: ledger, ENCORE_K8S_GRACE_TERMINATION_SECONDS: "6.5" };
  const app = await startApp(join(import.meta.dirname, "../../__tests__/fixtures/ledger-app"), {
    env,
    config: { gracefulShutdownMs: 5000 },
  });
  try {
    const health = async (): Promise<number> => (await fetch(`http://127.0.0.1:${app.port}/__encore/healthz`)).status;
    expect(await health()).toBe(200);
    const exit = once(app.child, "exit");
    app.child.kill("SIGTERM");
    let status = 200;
    while (status === 200) status = await health();
    expect(status).toBe(503);
    const late = await fetch(`http://127.0.0.1:${app.port}/entries`, {
      method: "POST",
      body: JSON.stringify({ id: "late", waitMs: 0 }),
    });
    expect(late.status).toBe(200);
    expect(await exit).toEqual([0, null]);
    expect(readFileSync(ledger, "utf8")).toBe("late\n");
  } finally {
    await app.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
