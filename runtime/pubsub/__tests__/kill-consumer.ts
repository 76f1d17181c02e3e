// A consumer in a process of its own, to be killed. Writes the number of every message it handled to a file.
// Message n is poison when n % 50 is 0; of the others every seventh fails at its first delivery.
import { appendFileSync } from "node:fs";
import { listen, makePubSub, subscription } from "./kit";

interface Orders {
  subscription: string;
  handledFile: string;
  url?: string;
  redisUrl?: string;
}

const { subscription: name, handledFile, url, redisUrl } = JSON.parse(process.argv[2] ?? "{}") as Orders;

const part = makePubSub({
  subscriptions: [subscription(name, { maxRetries: 2, maxConcurrency: 20 })],
  ...(url ? { url } : {}),
  ...(redisUrl ? { redisUrl } : {}),
});
listen(part, name, [], async ({ n, attempt }) => {
  await new Promise((resolve) => setTimeout(resolve, n % 5));
  if (n % 50 === 0 || (n % 7 === 0 && attempt === 1)) throw new Error(`refused ${n}`);
  appendFileSync(handledFile, `${n}\n`);
});
await part.start();
process.send?.("ready");
