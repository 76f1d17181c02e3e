// Two versions of the app at once, each a `Declarations` over the one table: who gets which event, and who may
// acknowledge it.
import { beforeEach, describe, expect, it } from "vitest";
import { newId } from "../../db/ids";
import { systemQuery } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { consumer, UNKNOWN_EVENT_HOURS } from "../consumer";
import { Declarations, declarations } from "../declarations";
import { eventDestination } from "../destinations";
import { publishBatch } from "../publish";
import { purgeExpired } from "../retention";
import type { OutboxSettlement } from "../store/outbox";
import { REDRIVE_CONSUMER } from "../topic";
import { messageOf, registered } from "./redrive-after-fix";

const REGISTERED = "auth.user.registered@1";
let name = "";
let nowMs = 0;
const version = (handled: string[], known: string[]): Declarations => {
  const made = new Declarations(() => nowMs);
  made.declare(name, handled, known);
  return made;
};
const wants = (by: Declarations, key: string, headers: Record<string, string> = {}): boolean => {
  const [type = "", number = ""] = key.split("@");
  return by.isWanted(name, { type, version: Number(number), headers });
};
/** As if nobody of the version had been there for so long. */
const age = (minutes: number, handled: string) =>
  systemQuery(
    "test",
    "update events.consumer_declaration set seen_at = now() - $1 * interval '1 minute' where consumer = $2 and $3 = any(handled)",
    [minutes, name, handled],
  );

beforeEach(() => {
  name = `declared-${newId()}`;
  nowMs = 0;
});

describe("an event is delivered to a subscription", () => {
  it("when a version that runs has a handler, or none has ever heard of it; and to no other", async () => {
    const [old, next] = [version(["a@1"], ["a@1", "b@1"]), version(["a@1", "c@1"], ["a@1", "b@1", "c@1", "d@1"])];
    for (const each of [old, next]) await each.refresh();
    await old.refresh();
    for (const each of [old, next])
      expect(["a@1", "b@1", "c@1", "d@1", "e@1"].map((key) => wants(each, key))).toEqual([
        ...[true, false, true, false, true],
      ]);
  });

  it("that only another version has, from the moment it is declared until ten minutes after the last process", async () => {
    const publisher = new Declarations(() => nowMs);
    const isNamed = (key: string): boolean =>
      publisher.wantedElsewhere({ type: key, version: 1, headers: {} }).includes(name);
    await publisher.refresh();
    expect(isNamed("a")).toBe(false);
    const next = version(["a@1"], ["a@1", "b@1"]);
    await next.refresh();
    expect(isNamed("a")).toBe(false);
    await publisher.refresh();
    expect(["a", "b"].map(isNamed)).toEqual([true, false]);
    expect(next.wantedElsewhere({ type: "a", version: 1, headers: {} })).not.toContain(name);
    await age(11, "a@1");
    await publisher.refresh();
    expect(isNamed("a")).toBe(false);
  });

  it("when a later version has a new handler for it, for as long as that version runs, and ten minutes more", async () => {
    const [old, next] = [version(["a@1"], ["a@1", "b@1"]), version(["a@1", "b@1"], ["a@1", "b@1"])];
    await old.refresh();
    expect(wants(old, "b@1")).toBe(false);
    await next.refresh();
    await old.refresh();
    expect(wants(old, "b@1")).toBe(true);
    await age(9, "b@1");
    await old.refresh();
    expect(wants(old, "b@1")).toBe(true);
    await age(11, "b@1");
    await old.refresh();
    expect(wants(old, "b@1")).toBe(false);
    // A process that runs repeats what it declares.
    nowMs += 60_000;
    await next.refresh();
    await old.refresh();
    expect(wants(old, "b@1")).toBe(true);
  });

  it("when it is not known who wants what: nothing read yet, nothing declared, or read too long ago", async () => {
    const publisher = new Declarations(() => nowMs);
    const some = version([], ["a@1"]);
    expect(wants(publisher, "a@1")).toBe(true);
    await publisher.refresh();
    expect(publisher.isKnown()).toBe(true);
    expect(wants(publisher, "a@1")).toBe(true);
    await some.refresh();
    await publisher.refresh();
    expect(wants(publisher, "a@1")).toBe(false);
    nowMs += 120_000;
    expect(publisher.isKnown()).toBe(false);
    expect(wants(publisher, "a@1")).toBe(true);
  });

  it("that it is redriven for, and to no other that is declared", async () => {
    const each = version(["a@1"], ["a@1"]);
    await each.refresh();
    expect(wants(each, "a@1", { [REDRIVE_CONSUMER]: name })).toBe(true);
    expect(wants(each, "a@1", { [REDRIVE_CONSUMER]: "another" })).toBe(false);
    expect(each.isWanted("of-nobody", { type: "a", version: 1, headers: { [REDRIVE_CONSUMER]: name } })).toBe(true);
  });
});

describe("an event of a type that this process does not know", () => {
  /** For nobody but the consumer at hand, which has no subscription: those of the app acknowledge it. */
  const row = (attempts: number) => {
    const of = tenantIdFrom(newId());
    const type = `test.${name}.made`;
    const times = { occurredAt: new Date(), dueAt: new Date(), position: 1, refusals: 0, aggregateKey: newId() };
    return { ...registered(of, "u"), ...times, type, attempts, headers: { [REDRIVE_CONSUMER]: name } };
  };
  const publish = (attempts: number): Promise<void> =>
    eventDestination.publish([row(attempts)], new AbortController().signal);

  it("waits for the version that is starting to say who wants it", async () => {
    await expect(publish(1)).rejects.toThrow("has not declared its consumers yet");
    await expect(publish(7)).rejects.toThrow("has not declared its consumers yet");
    await version([`test.${name}.made@1`], [`test.${name}.made@1`]).refresh();
    await publish(1);
  });

  it("is published all the same when nobody has said so for long", async () => {
    await publish(8);
  });

  it("holds up nobody else that is handed over with it", async () => {
    const others = Array.from({ length: 47 }, () => ({
      ...row(8),
      type: "auth.user.registered",
      aggregateKey: newId(),
    }));
    const early = [row(1), row(2), row(7)];
    const settled: OutboxSettlement[] = [];
    const report = await publishBatch(eventDestination, [...early, ...others], {
      concurrency: 4,
      mayBegin: () => true,
      backoff: { firstMs: 1, maxMs: 1 },
      random: () => 1,
      maxAttempts: 1,
      isAccepting: () => true,
      settle: (settlement) => Promise.resolve(void settled.push(settlement)),
      answerByMs: performance.now() + 60_000,
      stop: new AbortController().signal,
      onLate: () => undefined,
      unanswered: new Map(),
    });
    expect(report).toMatchObject({ published: 47, failed: 3, dead: 0 });
    expect(settled[0]?.failed.map(({ id }) => id)).toEqual(early.map(({ id }) => id));
  });
});

describe("a replica", () => {
  it("does not acknowledge an event that it has no handler for while another version has one, which then acts once", async () => {
    const tenantId = tenantIdFrom(newId());
    const event = messageOf({
      ...registered(tenantId, "u"),
      aggregateKey: "",
      position: 1,
      occurredAt: new Date(),
      dueAt: new Date(),
      attempts: 1,
      refusals: 0,
    });
    const old = consumer(name, {});
    await declarations.refresh();
    await expect(old({ ...event, id: newId() })).resolves.toBeUndefined();

    await version([REGISTERED], [REGISTERED]).refresh();
    await declarations.refresh();
    for (let delivery = 0; delivery < 20; delivery++)
      await expect(old(event)).rejects.toThrow(`${REGISTERED} has no handler in this version of the consumer`);
    const handled: string[] = [];
    const next = consumer(name, { [REGISTERED]: async (_tx, { id }) => void handled.push(id) });
    await next(event);
    await next(event);
    expect(handled).toEqual([event.id]);
    expect(await systemQuery("test", "select 1 from events.dead_letter where consumer = $1", [name])).toEqual([]);

    declarations.declare(name, []);
    await age(11, REGISTERED);
    await declarations.refresh();
    await expect(old({ ...event, id: newId() })).resolves.toBeUndefined();
  });
});

describe("what a replica cannot handle", () => {
  const unknown = () => {
    const of = registered(tenantIdFrom(newId()), "u");
    const times = { occurredAt: new Date(), dueAt: new Date(), position: 1, refusals: 0, attempts: 1 };
    return messageOf({ ...of, ...times, aggregateKey: "", type: `test.${name}.made` });
  };

  it("is never given up while another version that runs handles it", async () => {
    const [old, event] = [consumer(name, {}), unknown()];
    const key = `${event.type}@1`;
    await version([key], [key]).refresh();
    await declarations.refresh();
    const refused = "not in the catalogue";
    await expect(old(event)).rejects.toThrow(refused);
    const ageInbox = "update events.inbox set received_at = now() - $1 * interval '1 hour' where event_id = $2";
    await systemQuery("test", ageInbox, [UNKNOWN_EVENT_HOURS + 1, event.id]);
    await expect(old(event)).rejects.toThrow(refused);
    expect(await systemQuery("test", "select 1 from events.dead_letter where consumer = $1", [name])).toEqual([]);
  });

  it("bears the sign by which the host of the process takes it for given back; a handler's own failure does not", async () => {
    // What runtime/pubsub/give-back.ts looks for.
    const sign = Symbol.for("groundwork.give-back");
    const handle = consumer(name, { [REGISTERED]: () => Promise.reject(new Error("its own")) });
    const signed = (event: ReturnType<typeof unknown>): Promise<unknown> =>
      handle(event).then(
        () => "handled",
        (error: unknown) => (error as { [sign: symbol]: unknown })[sign],
      );
    expect(await signed(unknown())).toBe(true);
    expect(await signed({ ...unknown(), type: "auth.user.registered" })).toBeUndefined();
  });
});

describe("declarations", () => {
  it("are one row for each consumer and version, however many processes, and go a day after the last", async () => {
    for (let process = 0; process < 3; process++) await version(["a@1"], ["a@1"]).refresh();
    await version(["b@1"], ["a@1", "b@1"]).refresh();
    const left = () =>
      systemQuery("test", "select handled from events.consumer_declaration where consumer = $1 order by 1", [name]);
    expect(await left()).toEqual([{ handled: ["a@1"] }, { handled: ["b@1"] }]);
    await age(24 * 60 + 1, "a@1");
    await age(24 * 60 - 1, "b@1");
    await purgeExpired({ statementTimeoutMs: 10_000, totalMs: 60_000, batchMax: 100 });
    expect(await left()).toEqual([{ handled: ["b@1"] }]);
  });
});
