// A replica in a process of its own, to be killed. Its job is due every so many milliseconds from the time on that the
// test writes into a file, and says when it begins and when it ends: `<process> <tick> start|end`; and from which tick on it is there: `armed`.
// Where another file lies, whoever begins next takes it away, says `held` and does not end.
import { appendFileSync, existsSync, readFileSync, renameSync } from "node:fs";
import { quiet, until } from "../../pubsub/__tests__/kit";
import { systemClock } from "../clock";
import { PostgresLedger } from "../postgres-ledger";
import { RedisLedger } from "../redis-ledger";
import { Scheduler } from "../scheduler";

interface Orders {
  file: string;
  firstFile: string;
  holdFile: string;
  job: string;
  periodMs: number;
  runMs: number;
  leaseMs: number;
  url?: string;
  redisUrl?: string;
}

const {
  file,
  firstFile,
  holdFile,
  job,
  periodMs,
  runMs,
  leaseMs,
  url = "",
  redisUrl,
} = JSON.parse(process.argv[2] ?? "{}") as Orders;
const holder = String(process.pid);
const ledger = redisUrl
  ? new RedisLedger(redisUrl, "replicas", holder, leaseMs)
  : new PostgresLedger(url, holder, leaseMs);
await ledger.start();
process.send?.("ready");
await until(() => existsSync(firstFile), 60_000);
const first = Number(readFileSync(firstFile, "utf8"));

const next = (afterMs: number): number => first + Math.max(Math.floor((afterMs - first) / periodMs) + 1, 0) * periodMs;

function isHeld(): boolean {
  try {
    renameSync(holdFile, `${holdFile}.${process.pid}`);
    return true;
  } catch {
    return false; // there was none, or another one was first
  }
}
const run = async ({ at }: { at: number }): Promise<void> => {
  const write = (what: string): void => appendFileSync(file, `${process.pid} ${(at - first) / periodMs} ${what}\n`);
  write("start");
  if (isHeld()) {
    write("held");
    return new Promise(() => undefined);
  }
  await new Promise((resolve) => setTimeout(resolve, runMs));
  write("end");
};
const scheduler = new Scheduler({ jobs: [{ id: job, next, run }], ledger, clock: systemClock, log: quiet, leaseMs });
await scheduler.start();
// A tick that was due before any replica had begun is nobody's: on a busy machine that may be the first ones.
appendFileSync(file, `${process.pid} ${Math.max(Math.ceil((Date.now() - first) / periodMs), 0)} armed\n`);
setInterval(() => undefined, 60_000); // its own timers hold no process up
