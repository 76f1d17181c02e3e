// A process that holds a connection of the topics' pool, with nothing on it, and one of the crons' ledger, in the middle of a
// claim, while the test cuts both. Says what it sees, and ends with 0 when it could go on afterwards.
import { once } from "node:events";
import { PostgresLedger } from "../../cron/postgres-ledger";
import { createBrokerPool } from "../postgres-pool";
import { until } from "./kit";

const url = process.argv[2] ?? "";
const say = (text: string): void => void process.send?.(text);

const pool = createBrokerPool(url, 2, 30_000);
const held = await pool.connect();
const ledger = new PostgresLedger(url, "child");
await ledger.start();
const cut = new Promise((resolve) => held.once("end", resolve));
say("ready"); // the test locks the ledger's table now
await once(process, "message");
const claim = ledger.claim({ job: "cut", at: 60_000 }).then(String, () => "claim failed");
say("claiming");
say(await claim);
await cut;
held.release(true);
say("connection ended");
await once(process, "message");
await until(async () => (await pool.query("select 1").catch(() => undefined))?.rowCount === 1);
await until(async () => (await ledger.claim({ job: "cut", at: 60_000 }).catch(() => undefined)) === "won");
say("went on");
await Promise.all([pool.end(), ledger.close()]);
process.disconnect();
