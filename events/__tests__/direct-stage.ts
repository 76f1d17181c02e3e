// A relay, a consumer of its process and a topic that remembers what it has to bring.
import { onTestFinished } from "vitest";
import { newId } from "../../db/ids";
import { systemQuery, withTenant, type Tx } from "../../db/tenant";
import { tenantIdFrom, type TenantId } from "../../security/principal";
import { consumer, localConsumers, type EventHandler } from "../consumer";
import { registerDestination } from "../destinations";
import { DirectDelivery, type DirectTimes } from "../direct-delivery";
import { appendToOutbox } from "../outbox";
import { createRelay } from "../relay";
import { eventIdOf, messageOf, type DomainEvent } from "../topic";

export interface Registered {
  userId: string;
  organisationId: string;
  organisationName: string;
}
type Act = EventHandler<Registered>;

const consumed = ((globalThis as { [key: symbol]: unknown })[Symbol.for("groundwork.consumed-here")] ??= new Map<
  string,
  number
>()) as Map<string, number>;

/** However slow the machine is. */
const PATIENT: DirectTimes = { waitMs: 600_000, budgetMs: 600_000, limitMs: 600_000, restMs: 0 };

/** A consumer of this process, a relay that hands over to it, and what the topic would bring it. */
export function stage(
  act: Act,
  {
    times = PATIENT,
    isHere = true,
    concurrency = 4,
    nowMs = () => performance.now(),
  }: { times?: DirectTimes; isHere?: boolean; concurrency?: number; nowMs?: () => number } = {},
) {
  const name = `direct-${newId()}`;
  const destination = name;
  const handle = consumer(name, { "auth.user.registered@1": act }, { deliveryAttempt: () => 1 });
  if (isHere) consumed.set(`domain-events ${name}`, concurrency);
  // Or it would be given what the next test emits.
  onTestFinished(() => {
    consumed.delete(`domain-events ${name}`);
    localConsumers.delete(name);
  });
  const delivery = new DirectDelivery(times, nowMs);
  delivery.turn(true);
  const byTopic: DomainEvent[] = [];
  let isTopicAway = false;
  registerDestination(destination, {
    batchSize: 50,
    isOrdered: true,
    publish: (rows) =>
      delivery.before(rows, async () => {
        if (isTopicAway) throw new Error("the topic is away");
        for (const row of rows) if (!delivery.hasHad(name, eventIdOf(row))) byTopic.push(messageOf(row));
      }),
  });
  const relay = createRelay({ destinations: [destination], backoff: { firstMs: 0, maxMs: 0 } });
  return {
    name,
    destination,
    handle,
    byTopic,
    /** The numbers of what the topic has to bring. */
    topicNumbers: () => byTopic.map(({ payload }) => (payload as Registered).organisationName),
    turn: (isOn: boolean) => delivery.turn(isOn),
    setTopicAway: (isAway: boolean) => (isTopicAway = isAway),
    relayOnce: () => relay.runOnce(),
    relayAll: async () => {
      while ((await relay.runOnce()) > 0);
    },
    /** One transaction for each: `aggregate` and number. */
    emit: async (tenantId: TenantId, ...events: (readonly [string, number])[]) => {
      for (const [aggregateId, n] of events)
        await withTenant({ tenantId }, (tx) =>
          appendToOutbox(tx, {
            id: newId(),
            destination,
            tenantId,
            aggregateType: "user",
            aggregateId,
            type: "auth.user.registered",
            version: 1,
            payload: { userId: newId(), organisationId: tenantId, organisationName: `${aggregateId}${n}` },
            headers: {},
          }),
        );
    },
  };
}

export const tenant = (): TenantId => tenantIdFrom(newId());

/** A row in the transaction that the handler is given; a second one of the same event is told by `effects`. */
export const leave = (tx: Tx, name: string, what: string): Promise<number> =>
  tx.execute("insert into queues.tenant_turn (tenant_id, queue, finish_tag) values ($1, $2, 1)", [
    tx.tenantId,
    `${name} ${what} ${newId()}`,
  ]);

export async function effectsOf(name: string): Promise<string[]> {
  const rows = await systemQuery<{ queue: string }>(
    "test",
    "select queue from queues.tenant_turn where split_part(queue, ' ', 1) = $1",
    [name],
  );
  return rows.map(({ queue }) => queue.split(" ")[1] ?? "").sort();
}

export async function rowsOf(name: string, statement: string): Promise<number> {
  const [row] = await systemQuery<{ n: number }>("test", statement, [name]);
  return row?.n ?? NaN;
}

export const detoursOf = (name: string): Promise<number> =>
  rowsOf(name, "select count(*)::int as n from events.detour where consumer = $1");
