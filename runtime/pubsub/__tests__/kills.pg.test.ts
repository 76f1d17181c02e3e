// Messages through random handler failures, killed consumers, cut connections and crashed brokers: every one is
// handled at least once, and the dead letters are exactly the ones that always fail. GROUNDWORK_TEST_MESSAGES sets
// how many, GROUNDWORK_TEST_SEED repeats a run.
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { cloneDatabase, createTemplate, type ClonedDatabase } from "../../infra";
import { countMessages, listDeadLetters, type PubSubPart } from "../index";
import { database, makePubSub, subscription, until } from "./kit";
import { startBrokers, type BrokerKind, type TestBrokers } from "./support/brokers";
import { bundleScript, Lines, Processes } from "./support/processes";
import { newSeed, randomFrom } from "./support/seed";

const messages = Number(process.env.GROUNDWORK_TEST_MESSAGES ?? 3000);
const folder = mkdtempSync(join(tmpdir(), "kills-"));
const CONSUMERS = 3;
const PUBLISHED_TOGETHER = 100;
let brokers: TestBrokers;
let clone: ClonedDatabase;
let script = "";

beforeAll(async () => {
  [brokers, script] = await Promise.all([
    startBrokers("kills"),
    bundleScript(join(import.meta.dirname, "kill-consumer.ts"), "kill-consumer.mjs"),
  ]);
  clone = await cloneDatabase(
    await createTemplate(database, process.cwd(), {
      ...process.env,
      GROUNDWORK_TEST_POSTGRES_URL: brokers.postgresUrl,
    }),
  );
});
afterAll(async () => {
  await clone.drop();
  await brokers.remove();
  rmSync(folder, { recursive: true });
});

type Event = "kill" | "cut" | "crash";

/** What happens when so many messages have been handled: a kill every 250 at first, fewer in long runs. */
function planEvents(random: () => number): { after: number; event: Event }[] {
  const count = Math.min(Math.max(Math.round(messages / 250), 8), 120);
  const kinds: Event[] = Array.from({ length: count }, (_, index) =>
    index % 8 === 3 ? "crash" : index % 8 === 6 ? "cut" : "kill",
  );
  return kinds.map((event, index) => ({ event, after: Math.trunc(((index + random()) / count) * messages * 0.9) }));
}

async function publishAll(part: PubSubPart): Promise<void> {
  const topic = part.topic("orders");
  for (let n = 1; n <= messages; n += PUBLISHED_TOGETHER) {
    await Promise.all(
      Array.from({ length: Math.min(PUBLISHED_TOGETHER, messages - n + 1) }, (_, offset) =>
        topic.publish({ n: n + offset }),
      ),
    );
  }
}

describe.each<BrokerKind>(["postgres", "redis"])(
  "through kills, failures, cut connections and crashes on %s",
  (kind) => {
    it(
      `handles each of ${messages} messages at least once and keeps exactly the poisonous ones as dead letters`,
      { timeout: 240_000 + messages * 20 },
      async () => {
        const seed = newSeed();
        const random = randomFrom(seed);
        const startedAt = Date.now();
        const address = kind === "redis" ? { redisUrl: brokers.redisUrl } : { url: clone.url };
        const name = `kills-${kind}-${randomUUID()}`;
        const handledFile = join(folder, name);
        const lines = new Lines(handledFile);
        const handled = new Set<number>();
        const look = (): number => {
          consumers.check();
          for (const line of lines.next()) handled.add(Number(line));
          return handled.size;
        };
        const consumers = new Processes(script, { subscription: name, handledFile, ...address }, CONSUMERS);
        onTestFinished(() => consumers.end());
        const part = makePubSub({ subscriptions: [subscription(name)], ...address });
        const published = publishAll(part);

        const happened = { kill: 0, cut: 0, crash: 0 };
        for (const { after, event } of planEvents(random)) {
          await until(() => look() >= after, 60_000 + messages * 10);
          happened[event] += 1;
          if (event === "kill") await consumers.kill(Math.trunc(random() * CONSUMERS));
          else await brokers[event](kind);
        }
        await published;
        const names = { topic: "orders", subscription: name };
        await until(
          async () => {
            const { waiting, active, delayed } = await countMessages(part.broker(), names);
            return waiting + active + delayed === 0;
          },
          60_000 + messages * 10,
        );
        look();

        const letters = (await listDeadLetters(part.broker(), names, { limit: messages })).map(
          (letter) => (letter.body as { n: number }).n,
        );
        const all = Array.from({ length: messages }, (_, index) => index + 1);
        const seconds = Math.round((Date.now() - startedAt) / 1000);
        process.stdout.write(
          `${kind}: ${messages} messages, ${happened.kill} kills, ${happened.cut} cuts, ${happened.crash} ${brokers.crashes}, ${seconds} s, seed ${seed}\n`,
        );
        expect(
          all.filter((n) => n % 50 !== 0 && !handled.has(n)),
          `handled; seed ${seed}`,
        ).toEqual([]);
        expect(
          letters.sort((a, b) => a - b),
          `dead letters; seed ${seed}`,
        ).toEqual(all.filter((n) => n % 50 === 0));
        await part.close();
      },
    );
  },
);
