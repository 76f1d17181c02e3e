// A consumer of ordered messages in a process of its own, to be killed. Writes when a handler begins and when it ends:
// `<process> <key> <n> start|end`. Every seventh message fails at its first delivery.
import { appendFileSync } from "node:fs";
import { impatient, listen, makeHost, subscription } from "./kit";
import { createPubSub } from "../index";

interface Orders {
  subscription: string;
  file: string;
  lockMs: number;
  url?: string;
  redisUrl?: string;
}

const { subscription: name, file, lockMs, url, redisUrl } = JSON.parse(process.argv[2] ?? "{}") as Orders;

const host = makeHost({
  subscriptions: [subscription(name, { maxRetries: 5, maxConcurrency: 20 })],
  orderingAttribute: "customer",
  ...(url ? { url } : {}),
  ...(redisUrl ? { redisUrl } : {}),
});
const part = createPubSub(host, { ...impatient, lockMs });
listen(part, name, [], async ({ n, attempt, customer = "" }) => {
  const write = (what: string): void => appendFileSync(file, `${process.pid} ${customer} ${n} ${what}\n`);
  write("start");
  await new Promise((resolve) => setTimeout(resolve, n % 5));
  write("end");
  if (n % 7 === 0 && attempt === 1) throw new Error(`refused ${n}`);
});
await part.start();
process.send?.("ready");
