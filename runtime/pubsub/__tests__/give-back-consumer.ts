// A replica of the app in a process of its own, with a clock of its own: its version handles messages, or gives them all back.
// Writes what it does with each: `<process> handled|back <n>`.
import { appendFileSync } from "node:fs";
import { impatient, listen, makeHost, subscription } from "./kit";
import { createPubSub } from "../index";

interface Orders {
  subscription: string;
  file: string;
  /** How far its clock is ahead. */
  clockMs: number;
  handles: boolean;
  url?: string;
  redisUrl?: string;
}

const { subscription: name, file, clockMs, handles, url, redisUrl } = JSON.parse(process.argv[2] ?? "{}") as Orders;

const now = Date.now.bind(Date);
Date.now = () => now() + clockMs;

const host = makeHost({
  subscriptions: [subscription(name)],
  ...(url ? { url } : {}),
  ...(redisUrl ? { redisUrl } : {}),
});
const part = createPubSub(host, { ...impatient, lockMs: 10_000, giveBackMs: 100 });
listen(part, name, [], ({ n }) => {
  appendFileSync(file, `${process.pid} ${handles ? "handled" : "back"} ${n}\n`);
  if (!handles) throw Object.assign(new Error("not mine"), { [Symbol.for("groundwork.give-back")]: true });
});
await part.start();
process.send?.("ready");
