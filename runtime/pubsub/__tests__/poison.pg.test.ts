// A message that kills whoever handles it: each delivery says how many there were, so that the app can count the ones
// that nothing else is known of, and the messages beside it are handled all the same.
import { fork, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { cloneDatabase, createTemplate, type ClonedDatabase } from "../../infra";
import { database, makePubSub, subscription, until } from "./kit";
import { bundleScript, Lines } from "./support/processes";

const redisUrl = process.env.GROUNDWORK_TEST_REDIS_URL ?? "";
const folder = mkdtempSync(join(tmpdir(), "poison-"));
let clone: ClonedDatabase;
let script = "";

beforeAll(async () => {
  script = await bundleScript(join(import.meta.dirname, "poison-consumer.ts"), "poison-consumer.mjs");
  clone = await cloneDatabase(await createTemplate(database, process.cwd(), process.env));
});
afterAll(async () => {
  await clone.drop();
  rmSync(folder, { recursive: true });
});

it.each(["postgres", "redis"])(
  "a message that kills its process three times is delivered with attempt 4 on %s",
  async (kind) => {
    const address = kind === "redis" ? { redisUrl } : { url: clone.url };
    const name = `poison-${kind}-${randomUUID()}`;
    const file = join(folder, name);
    const lines = new Lines(file);
    const part = makePubSub({ subscriptions: [subscription(name)], ...address });
    for (let n = 1; n <= 20; n++) await part.topic("orders").publish({ n });

    let deaths = 0;
    let running: ChildProcess | undefined;
    const start = (): void => {
      running = fork(script, [JSON.stringify({ subscription: name, file, ...address })], { stdio: "inherit" });
      running.once("exit", (_code, signal) => {
        if (signal !== "SIGKILL" || deaths++ >= 3) return;
        start();
      });
    };
    onTestFinished(async () => {
      deaths = Infinity;
      running?.kill("SIGKILL");
      await part.close();
    });
    start();
    const seen = new Map<number, number[]>();
    await until(() => {
      for (const line of lines.next()) {
        const [n = 0, attempt = 0] = line.split(" ").map(Number);
        seen.set(n, [...(seen.get(n) ?? []), attempt]);
      }
      return seen.size === 20 && seen.get(1)?.at(-1) === 4;
    });
    expect(seen.get(1)).toEqual([1, 2, 3, 4]);
    expect(deaths).toBe(3);
  },
  90_000,
);
