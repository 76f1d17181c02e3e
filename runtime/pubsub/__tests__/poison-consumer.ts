// A consumer in a process of its own that message 1 kills (SIGKILL) at its first three deliveries. Writes each delivery
// to a file before it begins: the message's number and which attempt it is.
import { appendFileSync } from "node:fs";
import { listen, makePubSub, subscription } from "./kit";

interface Orders {
  subscription: string;
  file: string;
  url?: string;
  redisUrl?: string;
}

const { subscription: name, file, url, redisUrl } = JSON.parse(process.argv[2] ?? "{}") as Orders;

const part = makePubSub({
  subscriptions: [subscription(name)],
  ...(url ? { url } : {}),
  ...(redisUrl ? { redisUrl } : {}),
});
listen(part, name, [], async ({ n, attempt }) => {
  appendFileSync(file, `${n} ${attempt}\n`);
  if (n === 1 && attempt <= 3) process.kill(process.pid, "SIGKILL");
});
await part.start();
