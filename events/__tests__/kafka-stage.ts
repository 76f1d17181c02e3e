// What the tests with Kafka and Debezium share: the broker of scripts/native-kafka.sh, what is read from it, and Debezium's engine
// with the settings that docs/debezium.md gives.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Consumer } from "@platformatic/kafka";
import { Client } from "pg";
import { newId } from "../../db/ids";
import { systemQuery } from "../../db/tenant";

const root = join(import.meta.dirname, "../..");

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run npm run test:kafka`);
  return value;
}

/** `crash`: ends it as a power cut would and starts it again. `pause`: it takes connections and answers nothing, until `continue`. */
export async function broker(command: "crash" | "pause" | "continue"): Promise<void> {
  await promisify(execFile)("sh", [join(root, "scripts/native-kafka.sh"), command]);
}

/** A message as it lies in Kafka. Bytes are texts of Latin-1, one character a byte. */
export interface Lying {
  topic: string;
  partition: number;
  offset: bigint;
  timestamp: bigint;
  key: string;
  value: string;
  headers: [string, string | null][];
}

const latin1 = (bytes: Buffer | null): string | null => bytes?.toString("latin1") ?? null;

export const idOf = ({ headers }: Lying): string => headers.find(([name]) => name === "id")?.[1] ?? "";

/** Everything in the topics from their beginning until it has so many different ids, by partition in the order in which it lies there. */
export async function readTopics(topics: readonly string[], ids: number): Promise<Lying[]> {
  const consumer = new Consumer({
    clientId: "test",
    groupId: newId(),
    bootstrapBrokers: [setting("GROUNDWORK_TEST_KAFKA_BROKER")],
  });
  const found: Lying[] = [];
  const known = new Set<string>();
  try {
    const stream = await consumer.consume({
      topics: [...topics],
      mode: "earliest",
      autocommit: false,
      maxWaitTime: 200,
    });
    for await (const { topic, partition, offset, timestamp, key, value, headers } of stream) {
      const read: Lying = {
        topic,
        partition,
        offset,
        timestamp,
        key: key.toString("latin1"),
        value: value.toString("latin1"),
        headers: [...headers].map(([name, text]) => [name.toString(), latin1(text)]),
      };
      found.push(read);
      known.add(`${topic} ${idOf(read)}`);
      if (known.size === ids) break;
    }
  } finally {
    await new Promise<void>((resolve, reject) => {
      consumer.close(true, (error) => (error ? reject(error) : resolve()));
    });
  }
  return found.sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset));
}

/** Runs a statement as the server's superuser in this suite's database. */
async function asAdmin(statements: string): Promise<void> {
  const client = new Client({ connectionString: await databaseUrl() });
  await client.connect();
  try {
    await client.query(statements);
  } finally {
    await client.end();
  }
}

async function databaseUrl(): Promise<string> {
  const [row] = await systemQuery<{ name: string }>("test", "select current_database() as name");
  const url = new URL(setting("GROUNDWORK_TEST_POSTGRES_URL"));
  url.pathname = `/${row?.name}`;
  return url.href;
}

/** The first block of the kind in docs/debezium.md: what is documented is what is tested. */
async function documented(kind: "sql" | "json"): Promise<string> {
  const [, block] = (await readFile(join(root, "docs/debezium.md"), "utf8")).split(`\n\`\`\`${kind}\n`);
  return block?.split("\n```")[0] ?? "";
}

const PASSWORD = "of-this-test";
const SLOT = "groundwork_events";

async function debeziumSettings(topicPrefix: string): Promise<Record<string, string>> {
  const { hostname, port, pathname } = new URL(await databaseUrl());
  return {
    ...(JSON.parse(await documented("json")) as Record<string, string>),
    name: "groundwork",
    "bootstrap.servers": setting("GROUNDWORK_TEST_KAFKA_BROKER"),
    "database.hostname": hostname,
    "database.port": port,
    "database.password": PASSWORD,
    "database.dbname": pathname.slice(1),
    "offset.storage": "org.apache.kafka.connect.storage.MemoryOffsetBackingStore",
    // Beside what the relay sends, to be compared with it.
    "transforms.outbox.route.topic.replacement": `${topicPrefix}\${routedByValue}`,
  };
}

/** Resolves when the engine reads the log; from then on what is written reaches it. */
export async function startDebezium(topicPrefix: string): Promise<{ stop: () => Promise<void> }> {
  await asAdmin((await documented("sql")).replace("CHANGE ME", PASSWORD));
  const folder = await mkdtemp(join(tmpdir(), "debezium-"));
  const file = join(folder, "engine.properties");
  const settings = await debeziumSettings(topicPrefix);
  await writeFile(
    file,
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(""),
  );
  const engine = spawn(
    "java",
    ["-Xmx256m", "-XX:+UseSerialGC", "-cp", join(setting("GROUNDWORK_TEST_KAFKA_LIBRARIES"), "*")].concat(
      join(root, "scripts/kafka/OutboxRouter.java"),
      file,
    ),
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let said = "";
  engine.stderr.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-20_000)));
  const ended = once(engine, "exit");
  await untilReading(() => {
    if (engine.exitCode !== null) throw new Error(`Debezium ended:\n${said}`);
  });
  return {
    async stop() {
      engine.kill("SIGTERM");
      await ended;
      await asAdmin(`select pg_drop_replication_slot('${SLOT}'); drop publication ${SLOT}`);
      await rm(folder, { recursive: true });
    },
  };
}

async function untilReading(check: () => void): Promise<void> {
  for (;;) {
    check();
    const slots = await systemQuery("test", "select from pg_replication_slots where slot_name = $1 and active", [SLOT]);
    if (slots.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
