// `groundwork dead-letters list | redrive | discard | removed | forget` and `groundwork replay`: an operator's hand on the messages of a
// subscription. They work beside a running app, but not on the embedded database, which one process uses at a time.
import { startInfra } from "../infra";
import type { AppModel } from "../model";
import {
  countMessages,
  discardDeadLetters,
  forgetSubscription,
  listDeadLetters,
  listRemoved,
  openBroker,
  redrive,
  replay,
  type Broker,
  type SubscriptionCounts,
  type SubscriptionName,
} from "../pubsub";
import { findAppRoot, stateDirOf, UsageError } from "./app-root";
import type { CommandInput } from "./command-input";
import { dim, say } from "./console";
import { parseForCommand } from "./parse-app";

const LISTED = 100;

const labelOf = ({ topic, subscription }: SubscriptionName): string => `${topic}/${subscription}`;

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

function subscriptionsOf(model: AppModel): SubscriptionName[] {
  return model.topics.flatMap((topic) =>
    topic.subscriptions.map(({ name }) => ({ topic: topic.name, subscription: name })),
  );
}

function findSubscription(model: AppModel, word: string | undefined): SubscriptionName {
  const all = subscriptionsOf(model);
  const found = all.find((name) => labelOf(name) === word);
  if (found) return found;
  const known = all.length === 0 ? "the app has none" : `the app has ${all.map(labelOf).join(", ")}`;
  throw new UsageError(
    word === undefined
      ? `name a subscription as TOPIC/SUBSCRIPTION: ${known}`
      : `there is no subscription "${word}": ${known}`,
  );
}

/** Runs `work` on the broker that the app itself would use. */
async function withBroker<T>(
  { flags, env }: CommandInput,
  work: (broker: Broker, model: AppModel) => Promise<T>,
): Promise<T> {
  const root = findAppRoot(flags.app);
  const { model } = await parseForCommand(root);
  const infra = await startInfra({ appRoot: root, stateDir: stateDirOf(root, env), env, model, log: say });
  try {
    const appId = infra.config?.metadata.app_id ?? model.app.id;
    const broker = openBroker({
      databases: infra.databases,
      appId,
      ...(infra.hostDatabase ? { hostDatabase: infra.hostDatabase } : {}),
      ...(infra.redisUrl ? { redisUrl: infra.redisUrl } : {}),
    });
    return await work(broker, model).finally(() => broker.close());
  } finally {
    await infra.stop();
  }
}

async function listCounts(broker: Broker, model: AppModel, json: boolean): Promise<void> {
  sayCounts(await Promise.all(subscriptionsOf(model).map((name) => countMessages(broker, name))), json);
}

function sayCounts(counts: readonly SubscriptionCounts[], json: boolean): void {
  if (json) return say(JSON.stringify(counts, null, 2));
  for (const count of counts) {
    say(
      `${labelOf(count)}  ${counted(count.deadLetters, "dead letter")}, ${count.waiting} waiting, ${count.active} in hand, ${count.delayed} delayed`,
    );
  }
}

async function listLetters(broker: Broker, name: SubscriptionName, json: boolean): Promise<void> {
  const letters = await listDeadLetters(broker, name, { limit: LISTED });
  if (json) return say(JSON.stringify(letters, null, 2));
  for (const { messageId, failedAt, attempts, reason, traceId, body } of letters) {
    say(`${messageId}  ${failedAt.toISOString()}  ${counted(attempts, "attempt")}  ${reason}`);
    say(dim(`  ${JSON.stringify(body)}${traceId === null ? "" : `  trace ${traceId}`}`));
  }
  if (letters.length === 0) say(`${labelOf(name)} has no dead letters`);
  if (letters.length === LISTED) say(`only the newest ${LISTED} are shown`);
}

function list(input: CommandInput, word: string | undefined): Promise<void> {
  const json = input.flags.json ?? false;
  return withBroker(input, (broker, model) =>
    word === undefined ? listCounts(broker, model, json) : listLetters(broker, findSubscription(model, word), json),
  );
}

/** Of subscriptions that the app has no more. */
const removed = (input: CommandInput): Promise<void> =>
  withBroker(input, async (broker, model) => {
    const left = await listRemoved(broker, subscriptionsOf(model));
    if (left.length === 0 && !input.flags.json) return say("nothing is left of subscriptions that the app has no more");
    sayCounts(left, input.flags.json ?? false);
  });

const forget = (input: CommandInput, word: string | undefined): Promise<void> =>
  withBroker(input, async (broker, model) => {
    const [topic, subscription, ...rest] = (word ?? "").split("/");
    if (!topic || !subscription || rest.length > 0)
      throw new UsageError(
        "name what to forget as TOPIC/SUBSCRIPTION: `groundwork dead-letters removed` shows what there is",
      );
    const name = { topic, subscription };
    if (subscriptionsOf(model).some((known) => labelOf(known) === word))
      throw new UsageError(
        `the app has the subscription ${word}: only what is left of one that it has no more is forgotten`,
      );
    const gone = await forgetSubscription(broker, name);
    if (gone === undefined) throw new UsageError(`nothing is left of ${word}`);
    say(
      `${counted(gone.waiting + gone.delayed, "message")} and ${counted(gone.deadLetters, "dead letter")} of ${word} are gone`,
    );
  });

export async function deadLettersCommand(input: CommandInput): Promise<void> {
  const [action, word, ...ids] = input.words;
  if (action === "list") return list(input, word);
  if (action === "removed") return removed(input);
  if (action === "forget") return forget(input, word);
  if (action !== "redrive" && action !== "discard") {
    throw new UsageError(
      "say what to do: `groundwork dead-letters list [TOPIC/SUBSCRIPTION]`, `… redrive TOPIC/SUBSCRIPTION [ID …]` `… discard TOPIC/SUBSCRIPTION ID …`, `… removed` or `… forget TOPIC/SUBSCRIPTION`",
    );
  }
  if (action === "discard" && ids.length === 0)
    throw new UsageError(
      "name the messages to discard: `groundwork dead-letters list TOPIC/SUBSCRIPTION` shows their ids",
    );
  await withBroker(input, async (broker, model) => {
    const name = findSubscription(model, word);
    if (action === "discard")
      say(`${counted(await discardDeadLetters(broker, name, ids), "dead letter")} of ${labelOf(name)} discarded`);
    else
      say(
        `${counted(await redrive(broker, name, ids.length === 0 ? undefined : ids), "dead letter")} of ${labelOf(name)} will be delivered again`,
      );
  });
}

export async function replayCommand(input: CommandInput): Promise<void> {
  const since = new Date(input.flags.since ?? Number.NaN);
  if (Number.isNaN(since.getTime()))
    throw new UsageError("say from when on: `groundwork replay TOPIC/SUBSCRIPTION --since 2026-03-01T12:00:00Z`");
  await withBroker(input, async (broker, model) => {
    const name = findSubscription(model, input.words[0]);
    say(`${counted(await replay(broker, name, since), "handled message")} of ${labelOf(name)} will be delivered again`);
  });
}
