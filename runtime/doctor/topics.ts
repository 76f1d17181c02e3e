// Messages that could not be handled and wait for somebody to look at them. Nothing is made for the asking: where topics were
// never used there are no tables of theirs.
import { connect } from "../infra";
import { countMessages, openBroker } from "../pubsub";
import { queueName } from "../pubsub/envelope";
import { warning, type Check, type Patient } from "./finding";

interface Subscription {
  topic: string;
  subscription: string;
}

const CONNECT_LIMIT_MS = 5_000;

async function countOnPostgres(url: string, subscriptions: readonly Subscription[]): Promise<number[]> {
  const client = await connect(url, "groundwork-doctor", CONNECT_LIMIT_MS);
  try {
    const { rows } = await client.query<{ made: boolean }>("select to_regclass('bullmq.job') is not null as made");
    if (!rows[0]?.made) return [];
    const found = await client.query<{ queue: string; letters: number }>(
      "select queue, count(*)::int as letters from bullmq.job where state = 'failed' and queue = any($1) group by queue",
      [subscriptions.map(({ topic, subscription }) => queueName(topic, subscription))],
    );
    const counts = new Map(found.rows.map(({ queue, letters }) => [queue, letters]));
    return subscriptions.map(({ topic, subscription }) => counts.get(queueName(topic, subscription)) ?? 0);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function countOnRedis(
  redisUrl: string,
  patient: Patient,
  subscriptions: readonly Subscription[],
): Promise<number[]> {
  const appId = patient.config?.metadata.app_id ?? patient.model.app.id;
  const broker = openBroker({ databases: {}, appId, redisUrl });
  try {
    const counts = await Promise.all(subscriptions.map((name) => countMessages(broker, name)));
    return counts.map(({ deadLetters }) => deadLetters);
  } finally {
    await broker.close();
  }
}

export const topics: Check = async (patient) => {
  const { model, databases, redisUrl } = patient;
  const subscriptions = model.topics.flatMap((topic) =>
    topic.subscriptions.map(({ name }) => ({ topic: topic.name, subscription: name })),
  );
  const [first] = databases;
  if (subscriptions.length === 0) return [];
  const counts = redisUrl
    ? await countOnRedis(redisUrl, patient, subscriptions)
    : first
      ? await countOnPostgres(first.url, subscriptions)
      : [];
  return subscriptions.flatMap(({ topic, subscription }, at) => {
    const letters = counts[at] ?? 0;
    if (letters === 0) return [];
    return [
      warning(
        "dead_letters",
        `${letters} message${letters === 1 ? "" : "s"} of ${topic}/${subscription} could not be handled`,
        `groundwork dead-letters list ${topic}/${subscription} says why; redrive them when that is repaired.`,
      ),
    ];
  });
};
