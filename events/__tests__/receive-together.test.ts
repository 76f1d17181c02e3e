// Several events in one transaction: how many, what failures cost, and in whose name its hooks run.
import { expect, it, onTestFinished } from "vitest";
import { newId } from "../../db/ids";
import { systemQuery, type Tx } from "../../db/tenant";
import { currentProvenance } from "../../security/provenance";
import { consumer, localConsumers, type EventHandler } from "../consumer";
import { receiveTogether, type Entry } from "../receive-together";
import { purgeExpired, INBOX_DAYS } from "../retention";
import { effectsOf, rowsOf, tenant, type Registered } from "./direct-stage";

function receiver(act: EventHandler<Registered>) {
  const name = `together-${newId()}`;
  consumer(name, { "auth.user.registered@1": act }, { deliveryAttempt: () => 1 });
  onTestFinished(() => void localConsumers.delete(name));
  const done: string[] = [];
  const receive = (entries: readonly Entry[], mayGoOn = (): boolean => true): Promise<void> =>
    receiveTogether(localConsumers.get(name)!, entries, {
      transactions: 1,
      mayGoOn,
      onDone: ({ message }) => void done.push((message.payload as Registered).organisationName),
    });
  return { name, done, receive };
}

/** Of one organisation, each of an aggregate of its own. */
function entriesOf(...names: readonly string[]): Entry[] {
  const tenantId = tenant();
  return names.map((name) => ({
    aggregateKey: name,
    message: {
      id: newId(),
      tenantId,
      type: "auth.user.registered",
      version: 1,
      aggregateType: "user",
      aggregateId: name,
      payload: { userId: newId(), organisationId: tenantId, organisationName: name },
      headers: {},
      occurredAt: new Date().toISOString(),
    },
  }));
}

it("shares a transaction between fifty events at most", async () => {
  const perTransaction = new Map<Tx, number>();
  const set = receiver(async (tx) => void perTransaction.set(tx, (perTransaction.get(tx) ?? 0) + 1));
  await set.receive(entriesOf(...Array.from({ length: 120 }, (_, n) => `n${n}`)));
  expect([[...perTransaction.values()], set.done.length]).toEqual([[50, 50, 20], 120]);
});

it("runs the others again without those that failed, until three of a transaction did: the rest goes another way", async () => {
  const broken = new Set(["f1", "f2"]);
  const set = receiver(async (_tx, { payload }) => {
    if (broken.has(payload.organisationName)) throw new Error("the bug");
  });
  await set.receive(entriesOf("a", "f1", "b", "f2", "c"));
  expect(set.done.splice(0)).toEqual(["a", "b", "c"]);
  const failed = "select count(*)::int as n from events.inbox where consumer = $1 and attempts = 1";
  expect(await rowsOf(set.name, failed)).toBe(2);

  broken.add("f3").add("f4");
  await set.receive(entriesOf("a", "f1", "b", "f2", "f3", "f4", "c"));
  expect([set.done, await rowsOf(set.name, failed)]).toEqual([[], 5]);
});

it("runs the events one by one when a statement fails that no handler waited for, and counts it for its own", async () => {
  const set = receiver(async (tx, { payload: { organisationName: what } }) => {
    const refused = what.startsWith("f");
    tx.executeLater("insert into queues.tenant_turn (tenant_id, queue, finish_tag) values ($1, $2, $3)", [
      refused ? newId() : tx.tenantId,
      `${set.name} ${what}`,
      1,
    ]);
  });
  await set.receive(entriesOf("a", "b", "c"));
  expect([set.done.splice(0), await effectsOf(set.name)]).toEqual([
    ["a", "b", "c"],
    ["a", "b", "c"],
  ]);

  const [d, f1, e, f2] = entriesOf("d", "f1", "e", "f2");
  // What follows in the aggregate of one that failed waits for it.
  const behind = entriesOf("g").map((entry) => ({ ...entry, aggregateKey: "f1" }));
  const sameTenant = behind.map(({ message, ...rest }) => ({
    ...rest,
    message: { ...message, tenantId: d!.message.tenantId },
  }));
  await set.receive([d!, f1!, ...sameTenant, e!, f2!]);
  expect([set.done, await effectsOf(set.name)]).toEqual([
    ["d", "e"],
    ["a", "b", "c", "d", "e"],
  ]);
  const failed =
    "select count(*)::int as n from events.inbox where consumer = $1 and attempts = 1 and processed_at is null";
  expect(await rowsOf(set.name, failed)).toBe(2);
});

it("runs what a handler asks for after the commit in the name of its event", async () => {
  const causes: (string | undefined)[] = [];
  const set = receiver(async (tx) => tx.afterCommit(() => void causes.push(currentProvenance("nobody").causationId)));
  const entries = entriesOf("a", "b");
  await set.receive(entries);
  expect(causes).toEqual(entries.map(({ message }) => message.id));
});

it("forgets a detour that nobody ended when the inbox forgets its event, and no other", async () => {
  const name = `forgotten-${newId()}`;
  const begun = async (days: number): Promise<string> => {
    const id = newId();
    await systemQuery(
      "test",
      "insert into events.detour (consumer, aggregate_key, event_id, begun_at) values ($1, $2, $2, now() - $3 * interval '1 day')",
      [name, id, days],
    );
    return id;
  };
  await begun(INBOX_DAYS + 1);
  const younger = await begun(INBOX_DAYS - 1);
  await purgeExpired();
  const left = await systemQuery<{ id: string }>(
    "test",
    "select event_id as id from events.detour where consumer = $1",
    [name],
  );
  expect(left).toEqual([{ id: younger }]);
});
