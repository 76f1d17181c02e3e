// The order of the end: nothing that takes work waits for anything else, nothing that work needs ends before it.
import { expect, test } from "vitest";
import type { HostLog, Part } from "../../host";
import { drainAll } from "../lifecycle";

function recorder() {
  const lines: string[] = [];
  const log: HostLog = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: (message) => lines.push(message) };
  const part = (name: string, takesWork: boolean, work: Promise<void> = Promise.resolve()): Part => ({
    name, takesWork,
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
  const done = drainAll(host, [part("databases", false), part("caches", false), part("http", true), part("pub/sub", true, slow)]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(lines).toEqual(["http begins", "pub/sub begins", "http ends"]);
  finish();
  await done;
  expect(lines.slice(3)).toEqual(["pub/sub ends", "caches begins", "caches ends", "databases begins", "databases ends"]);
});

test("a part that fails to drain is logged and does not keep the others from it", async () => {
  const { lines, host, part } = recorder();
  await drainAll(host, [part("databases", false), part("http", true, Promise.reject(new Error("no")))]);
  expect(lines).toEqual(["http begins", "draining http failed", "databases begins", "databases ends"]);
});
