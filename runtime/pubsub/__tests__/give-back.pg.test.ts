// What a replica gives back comes to every other, whatever their clocks say: replicas in processes of their own, half a minute
// apart, on Postgres and on Redis.
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { cloneDatabase, createTemplate, type ClonedDatabase } from "../../infra";
import { countMessages } from "../index";
import { database, makePubSub, subscription, until } from "./kit";
import { bundleScript, Lines, Processes } from "./support/processes";

const HALF_A_MINUTE = 30_000;
const folder = mkdtempSync(join(tmpdir(), "give-back-"));
const redisUrl = process.env.GROUNDWORK_TEST_REDIS_URL ?? "";
let clone: ClonedDatabase;
let script = "";

beforeAll(async () => {
  script = await bundleScript(join(import.meta.dirname, "give-back-consumer.ts"), "give-back-consumer.mjs");
  clone = await cloneDatabase(await createTemplate(database, process.cwd(), process.env));
});
afterAll(async () => {
  await clone.drop();
  rmSync(folder, { recursive: true });
});

describe.each(["postgres", "redis"])("on %s", (transport) => {
  it.each([
    ["ahead of all others", [HALF_A_MINUTE, 0, 0], 0],
    ["behind", [0, 0, 0], -HALF_A_MINUTE],
  ])(
    "a message comes to each replica that gives it back, and to the new one, with a clock %s",
    async (_, old, fresh) => {
      const [name, file] = [`${transport}-${randomUUID()}`, join(folder, randomUUID())];
      const where = transport === "redis" ? { redisUrl } : { url: clone.url };
      const lines = new Lines(file);
      const start = async (clockMs: number, handles: boolean): Promise<void> => {
        const replica = new Processes(script, { subscription: name, file, clockMs, handles, ...where }, 1);
        onTestFinished(() => replica.end());
        await replica.ready();
      };
      const part = makePubSub({ ...where, subscriptions: [subscription(name)] });
      onTestFinished(() => part.close());
      for (const clockMs of old) await start(clockMs, false);
      await part.topic("orders").publish({ n: 1 });
      const givers = new Set<string>();
      let isHandled = false;
      const see = (): void => {
        for (const line of lines.next()) {
          const [giver = "", what] = line.split(" ");
          if (what === "handled") isHandled = true;
          else givers.add(giver);
        }
      };
      await until(() => (see(), givers.size === old.length));
      await start(fresh, true);
      await until(() => (see(), isHandled));
      const left = () => countMessages(part.broker(), { topic: "orders", subscription: name });
      await expect.poll(left).toMatchObject({ waiting: 0, active: 0, delayed: 0, deadLetters: 0 });
    },
  );
});
