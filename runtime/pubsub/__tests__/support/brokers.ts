// Postgres and Redis that a test may crash: servers of its own by scripts/native-postgres.sh, with durable writes. Where
// somebody gave servers instead, which are not ours to end, a crash cuts all their connections.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import { Client } from "pg";

export type BrokerKind = "postgres" | "redis";

export interface TestBrokers {
  postgresUrl: string;
  redisUrl: string;
  /** What `crash` does: in reports. */
  crashes: "restarts" | "cuts";
  /** Resolves when the server answers again. */
  crash(kind: BrokerKind): Promise<void>;
  /** Ends every connection to the server, which keeps running. */
  cut(kind: BrokerKind): Promise<void>;
  remove(): Promise<void>;
}

const script = join(process.cwd(), "scripts", "native-postgres.sh");
const run = promisify(execFile);

async function cutPostgres(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'groundwork%' and pid <> pg_backend_pid()",
  );
  await client.end();
}

async function cutRedis(url: string): Promise<void> {
  const redis = new Redis(url);
  await redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  await redis.quit();
}

type Urls = Pick<TestBrokers, "postgresUrl" | "redisUrl">;

const cutOf =
  ({ postgresUrl, redisUrl }: Urls): TestBrokers["cut"] =>
  (kind) =>
    kind === "postgres" ? cutPostgres(postgresUrl) : cutRedis(redisUrl);

/** `name` tells the servers of one test file from those of another. */
export async function startBrokers(name: string): Promise<TestBrokers> {
  const given = {
    postgresUrl: process.env.GROUNDWORK_TEST_POSTGRES_URL ?? "",
    redisUrl: process.env.GROUNDWORK_TEST_REDIS_URL ?? "",
  };
  if (!process.env.GROUNDWORK_TEST_OWN_BROKERS) {
    return { ...given, crashes: "cuts", cut: cutOf(given), crash: cutOf(given), remove: () => Promise.resolve() };
  }
  const env = { ...process.env, GROUNDWORK_NATIVE_INSTANCE: `${name}-${process.pid}` };
  const sh = (...args: string[]) => run("sh", [script, ...args], { env });
  const { stdout } = await sh("start");
  const valueOf = (variable: string): string => new RegExp(`${variable}='(.*)'`).exec(stdout)?.[1] ?? "";
  const own = { postgresUrl: valueOf("GROUNDWORK_TEST_POSTGRES_URL"), redisUrl: valueOf("GROUNDWORK_TEST_REDIS_URL") };
  return {
    ...own,
    crashes: "restarts",
    cut: cutOf(own),
    crash: async (kind) => void (await sh("crash", kind)),
    remove: async () => void (await sh("remove")),
  };
}
