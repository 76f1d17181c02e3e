// `dead-letters` and `replay` by hand, on the broker of an app whose subscription fails: the embedded database or the
// server under test, and Redis where GROUNDWORK_TEST_REDIS_URL names one.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cloneDatabase, createTemplate, type ClonedDatabase } from "../../infra";
import { Scratch } from "../../parse/__tests__/case-app";
import { hostFile } from "../../host-files";
import { countMessages, type PubSubPart } from "../../pubsub";
import { database, listen, makePubSub, subscription, until, type Received } from "../../pubsub/__tests__/kit";

const redisUrl = process.env.GROUNDWORK_TEST_REDIS_URL;
const transports = redisUrl ? ["postgres", "redis"] : ["postgres"];

const appOf = (name: string): Record<string, string> => ({
  "encore.app": `{ "id": "test", "lang": "typescript" }\n`,
  "shop/api.ts": `import { api } from "encore.dev/api";
import { Subscription, Topic } from "encore.dev/pubsub";
import { SQLDatabase } from "encore.dev/storage/sqldb";
export const db = new SQLDatabase("app");
export interface Order { n: number }
export const orders = new Topic<Order>("orders", { deliveryGuarantee: "at-least-once" });
export const billing = new Subscription(orders, "${name}", { handler: async () => undefined });
export const ping = api({}, async (): Promise<void> => { await orders.publish({ n: 1 }); });
`,
});

let clone: ClonedDatabase;
beforeAll(async () => {
  clone = await cloneDatabase(await createTemplate(database, process.cwd(), process.env));
});
afterAll(() => clone.drop());

describe.each(transports)("dead letters by command on %s", (transport) => {
  const name = `billing-${randomUUID()}`;
  const names = { topic: "orders", subscription: name };
  const received: Received[] = [];
  let scratch: Scratch;
  let part: PubSubPart;
  let app = "";
  let broken = true;

  async function groundwork(...args: string[]): Promise<{ code: number | null; output: string }> {
    const env = {
      PATH: process.env.PATH ?? "",
      HOME: process.env.HOME ?? "",
      DATABASE_URL: clone.url,
      ...(transport === "redis" ? { REDIS_URL: redisUrl } : {}),
    };
    const child = spawn(process.execPath, [hostFile("cli.js"), ...args, "--app", app], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (output += data.toString()));
    const code = await new Promise<number | null>((resolve) => child.once("exit", resolve));
    return { code, output };
  }

  /** Messages 1 to `count` become dead letters; resolves with their ids. */
  async function deadLetters(count: number): Promise<string[]> {
    broken = true;
    const ids: string[] = [];
    for (let n = 1; n <= count; n++) ids.push(await part.topic("orders").publish({ n }));
    await until(async () => (await countMessages(part.broker(), names)).deadLetters === count);
    broken = false;
    received.length = 0;
    return ids;
  }

  beforeAll(async () => {
    scratch = new Scratch();
    app = scratch.fromFiles(appOf(name));
    part = makePubSub({
      subscriptions: [subscription(name, { maxRetries: 0 })],
      ...(transport === "redis" ? { redisUrl } : { url: clone.url }),
    });
    listen(part, name, received, () => {
      if (broken) throw new Error("no credit");
    });
    await part.start();
  });
  afterAll(async () => {
    await part.close();
    scratch.dispose();
  });

  it("shows them, delivers one, then all again, and replays what was handled", async () => {
    const [first = "", second = ""] = await deadLetters(3);
    expect(await groundwork("dead-letters", "list")).toEqual({
      code: 0,
      output: `orders/${name}  3 dead letters, 0 waiting, 0 in hand, 0 delayed\n`,
    });
    const shown = await groundwork("dead-letters", "list", `orders/${name}`);
    expect(shown.output).toContain("1 attempt  no credit");
    const json = JSON.parse((await groundwork("dead-letters", "list", `orders/${name}`, "--json")).output) as {
      messageId: string;
      body: unknown;
    }[];
    expect(json.find(({ messageId }) => messageId === first)?.body).toEqual({ n: 1 });

    expect(await groundwork("dead-letters", "discard", `orders/${name}`, second)).toEqual({
      code: 0,
      output: `1 dead letter of orders/${name} discarded\n`,
    });
    expect(await groundwork("dead-letters", "redrive", `orders/${name}`, first)).toEqual({
      code: 0,
      output: `1 dead letter of orders/${name} will be delivered again\n`,
    });
    await until(() => received.length === 1);
    expect(received[0]).toMatchObject({ n: 1, attempt: 1 });
    expect((await groundwork("dead-letters", "redrive", `orders/${name}`)).output).toBe(
      `1 dead letter of orders/${name} will be delivered again\n`,
    );
    await until(() => received.length === 2);
    expect(received[1]?.n).toBe(3);

    await until(async () => (await countMessages(part.broker(), names)).active === 0);
    const replayed = await groundwork(
      "replay",
      `orders/${name}`,
      "--since",
      new Date(Date.now() - 600_000).toISOString(),
    );
    expect(replayed).toEqual({ code: 0, output: `2 handled messages of orders/${name} will be delivered again\n` });
    await until(() => received.length === 4);
  });

  it("does not discard a message that is no dead letter", async () => {
    received.length = 0;
    const id = await part.topic("orders").publish({ n: 9 });
    await until(() => received.length === 1);
    expect((await groundwork("dead-letters", "discard", `orders/${name}`, id)).output).toBe(
      `0 dead letters of orders/${name} discarded\n`,
    );
  });

  it("shows what is left of a subscription that the app has no more, and forgets it", async () => {
    const gone = `gone-${randomUUID()}`;
    const before = makePubSub({
      subscriptions: [subscription(gone, { maxRetries: 0 })],
      orderingAttribute: "customer",
      ...(transport === "redis" ? { redisUrl } : { url: clone.url }),
    });
    try {
      for (const n of [1, 2]) await before.topic("orders").publish({ n, customer: "ann" });
    } finally {
      await before.close();
    }
    const label = `orders/${gone}`;
    expect((await groundwork("dead-letters", "removed")).output).toContain(
      `${label}  0 dead letters, 2 waiting, 0 in hand, 0 delayed\n`,
    );
    expect(await groundwork("dead-letters", "forget", label)).toEqual({
      code: 0,
      output: `2 messages and 0 dead letters of ${label} are gone\n`,
    });
    expect((await groundwork("dead-letters", "removed")).output).not.toContain(gone);
    expect((await groundwork("dead-letters", "forget", label)).output).toContain(`nothing is left of ${label}`);
    if (transport !== "redis") return;
    const redis = new Redis(redisUrl ?? "");
    expect(await redis.keys(`*${gone}*`)).toEqual([]);
    redis.disconnect();
  });

  it.each([
    [["dead-letters"], "say what to do"],
    [["dead-letters", "forget"], "name what to forget as TOPIC/SUBSCRIPTION"],
    [["dead-letters", "forget", `orders/${name}`], "only what is left of one that it has no more is forgotten"],
    [["dead-letters", "redrive"], "name a subscription as TOPIC/SUBSCRIPTION"],
    [
      ["dead-letters", "redrive", "orders/nobody"],
      `there is no subscription "orders/nobody": the app has orders/billing-`,
    ],
    [["dead-letters", "discard", "orders/nobody"], "name the messages to discard"],
    [["replay", "orders/nobody"], "say from when on"],
    [["replay", "orders/nobody", "--since", "yesterday"], "say from when on"],
  ])("refuses %j with a remedy", async (args, text) => {
    const { code, output } = await groundwork(...args);
    expect(output).toContain(text);
    expect(code).toBe(1);
  });
});
