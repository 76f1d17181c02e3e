// Messages of one ordering attribute over three processes that are killed now and then: no two of a key are ever handled
// at once, and none before one that was published earlier, failed deliveries included.
import { randomUUID } from "node:crypto";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { cloneDatabase, createTemplate, type ClonedDatabase } from "../../infra";
import { countMessages } from "../index";
import { database, makePubSub, subscription, until } from "./kit";
import { bundleScript, Lines, Processes } from "./support/processes";
import { newSeed, randomFrom } from "./support/seed";

const messages = Number(process.env.GROUNDWORK_TEST_ORDERED_MESSAGES ?? 1000);
const KEYS = 25;
const KILLS = 4;
const CONSUMERS = 3;
/** Longer than a busy machine holds up a process: a lock that ran out beside a living handler is no order to speak of. */
const LOCK_MS = 4000;
const folder = mkdtempSync(join(tmpdir(), "ordering-"));
const redisUrl = process.env.GROUNDWORK_TEST_REDIS_URL ?? "";
let clone: ClonedDatabase;
let script = "";

beforeAll(async () => {
  script = await bundleScript(join(import.meta.dirname, "order-consumer.ts"), "order-consumer.mjs");
  clone = await cloneDatabase(await createTemplate(database, process.cwd(), process.env));
});
afterAll(async () => {
  await clone.drop();
  rmSync(folder, { recursive: true });
});

/** Follows the lines and collects every one that breaks the order. */
class Referee {
  readonly broken: string[] = [];
  readonly handled = new Set<number>();
  readonly #last = new Map<string, number>();
  /** Key → the handler that is at work on it. */
  readonly #open = new Map<string, { process: string; n: number }>();

  see(line: string): void {
    const [process = "", key = "", number = "", what = ""] = line.split(" ");
    if (key === "killed") return this.#end((open) => open.process === process);
    const n = Number(number);
    if (what === "end") {
      this.handled.add(n);
      return this.#end((open, of) => of === key && open.n === n && open.process === process);
    }
    const open = this.#open.get(key);
    if (open && open.n !== n) this.broken.push(`${line}, while ${open.n} is handled by ${open.process}`);
    if (n < (this.#last.get(key) ?? 0)) this.broken.push(`${line}, after ${this.#last.get(key)}`);
    this.#last.set(key, n);
    this.#open.set(key, { process, n });
  }

  #end(which: (open: { process: string; n: number }, key: string) => boolean): void {
    for (const [key, open] of this.#open) if (which(open, key)) this.#open.delete(key);
  }
}

describe.each([["postgres"], ["redis"]])("the order of messages with one attribute on %s", (kind) => {
  it(
    `holds for ${messages} messages over ${CONSUMERS} processes, ${KILLS} of them killed`,
    { timeout: 240_000 + messages * 20 },
    async () => {
      const seed = newSeed();
      const random = randomFrom(seed);
      const startedAt = Date.now();
      const address = kind === "redis" ? { redisUrl } : { url: clone.url };
      const name = `ordered-${kind}-${randomUUID()}`;
      const file = join(folder, name);
      const lines = new Lines(file);
      const referee = new Referee();
      const consumers = new Processes(script, { subscription: name, file, lockMs: LOCK_MS, ...address }, CONSUMERS);
      onTestFinished(() => consumers.end());
      const look = (): number => {
        consumers.check();
        for (const line of lines.next()) referee.see(line);
        return referee.handled.size;
      };

      const part = makePubSub({ subscriptions: [subscription(name)], orderingAttribute: "customer", ...address });
      const topic = part.topic("orders");
      const published = (async () => {
        // One at a time per key, many keys at once: the order of publishing is then the order of the numbers.
        for (let n = 1; n <= messages; n += KEYS) {
          await Promise.all(
            Array.from({ length: Math.min(KEYS, messages - n + 1) }, (_, key) =>
              topic.publish({ n: n + key, customer: `c${key}` }),
            ),
          );
        }
      })();
      for (let kill = 1; kill <= KILLS; kill++) {
        await until(() => look() >= (messages * kill) / (KILLS + 1), 60_000 + messages * 10);
        const dead = await consumers.kill(Math.trunc(random() * CONSUMERS));
        appendFileSync(file, `${dead} killed\n`);
      }
      await published;
      await until(
        async () => {
          const { waiting, active, delayed } = await countMessages(part.broker(), {
            topic: "orders",
            subscription: name,
          });
          return waiting + active + delayed === 0;
        },
        60_000 + messages * 10,
      );
      look();
      process.stdout.write(
        `${kind}: ${messages} ordered messages of ${KEYS} keys, ${KILLS} kills, ${Math.round((Date.now() - startedAt) / 1000)} s, seed ${seed}\n`,
      );
      expect(referee.broken, `seed ${seed}`).toEqual([]);
      expect(referee.handled.size, `seed ${seed}`).toBe(messages);
      await part.close();
    },
  );
});
