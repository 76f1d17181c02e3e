// What a pause leaves no time for: each way to a consumer asks the holds with the statement that notes the event, so that none is
// begun by a process that does not know of the pause yet. And how a delivery is counted that was not begun.
import { afterEach, describe, expect, it, vi } from "vitest";
import { newId } from "../../db/ids";
import { systemQuery, withSystem } from "../../db/tenant";
import { renderPrometheus } from "../../telemetry/metrics";
import { consumer } from "../consumer";
import { declarations } from "../declarations";
import { moveHeldOn } from "../hold-release";
import * as scopes from "../scope-of-event";
import { UNKNOWN_EVENT_HOURS } from "../settle-failure";
import { holdDelete, holdInsert } from "../store/hold";
import type { DomainEvent } from "../topic";
import { detoursOf, leave, rowsOf, stage, tenant } from "./direct-stage";
import { attemptsOf, heldOf } from "./held-stage";

/** By another process, which tells this one nothing. */
const pauseElsewhere = (consumer: string): Promise<boolean> =>
  withSystem("test", (tx) => holdInsert(tx, { consumer, cause: "pause", reason: "r", actor: "test" }));
const resumeElsewhere = (consumer: string): Promise<boolean> =>
  withSystem("test", (tx) => holdDelete(tx, consumer, "pause"));

const inScopeOf = scopes.inScopeOf;

/** Paused when all has been asked that is asked before the transaction of an event. */
function pauseBeforeNext(name: string): void {
  vi.spyOn(scopes, "inScopeOf").mockImplementationOnce(async (tenantId, fn) => {
    await pauseElsewhere(name);
    return inScopeOf(tenantId, fn);
  });
}
afterEach(() => void vi.restoreAllMocks());

const inboxOf = (name: string): Promise<number> =>
  rowsOf(
    name,
    "select count(*)::int as n from events.inbox where consumer = $1 and coalesce(processed_at, dead_at) is not null",
  );

function recording(options: Parameters<typeof stage>[1] = {}) {
  const seen: string[] = [];
  const set = stage(async (tx, { payload: { organisationName: what } }) => {
    await leave(tx, set.name, what);
    seen.push(what);
  }, options);
  return { ...set, seen };
}

/** Lets go what waited. */
async function resumeAndMove(name: string, relayAll: () => Promise<void>): Promise<void> {
  await declarations.refresh();
  await resumeElsewhere(name);
  while (await moveHeldOn(1_000_000));
  await relayAll();
}

const sample = async (consumer: string, outcome: string): Promise<number> => {
  const line = (await renderPrometheus())
    .split("\n")
    .find(
      (text) =>
        text.startsWith("events_consumed_total{") && text.includes(`"${consumer}"`) && text.includes(`"${outcome}"`),
    );
  return Number(line?.split(" ").at(-1) ?? 0);
};

describe("once a consumer is paused, no event is begun", () => {
  it("by a relay that had asked before, and on resume all come in their order", async () => {
    const [a, b] = [tenant(), tenant()];
    const set = recording({ concurrency: 1 });
    await set.emit(a, ["p", 1], ["p", 2]);
    await set.emit(b, ["q", 1]);
    pauseBeforeNext(set.name);
    await set.relayAll();
    expect([set.seen, set.topicNumbers(), await heldOf(set.name)]).toEqual([[], [], 3]);
    expect([await inboxOf(set.name), await detoursOf(set.name)]).toEqual([0, 0]);
    await resumeAndMove(set.name, set.relayAll);
    expect([set.seen.filter((what) => what !== "q1"), set.seen.length, await heldOf(set.name)]).toEqual([
      ["p1", "p2"],
      3,
      0,
    ]);
  });

  it("by a process that the topic brings it to, which had asked before", async () => {
    const set = recording({ isHere: false });
    await set.emit(tenant(), ["p", 1], ["p", 2]);
    await set.relayAll();
    pauseBeforeNext(set.name);
    for (const message of set.byTopic.splice(0)) await set.handle(message);
    expect([set.seen, await heldOf(set.name), await inboxOf(set.name), await detoursOf(set.name)]).toEqual([
      [],
      2,
      0,
      0,
    ]);
    await resumeAndMove(set.name, set.relayAll);
    for (const message of set.byTopic) await set.handle(message);
    expect(set.seen).toEqual(["p1", "p2"]);
  });

  it("by a process in which it waits for its turn, because one before it ended with its process: that is no attempt", async () => {
    const set = recording({ isHere: false });
    await set.emit(tenant(), ["p", 1], ["q", 1], ["r", 1]);
    await set.relayAll();
    const [first, second, third] = set.byTopic.splice(0) as [DomainEvent, DomainEvent, DomainEvent];
    const seen: string[] = [];
    const again = consumer(
      set.name,
      { "auth.user.registered@1": async (_tx, { payload }) => void seen.push(payload.organisationName) },
      { deliveryAttempt: () => 5 },
    );
    // The first has its turn and is counted; the pause comes when it is about to begin.
    pauseBeforeNext(set.name);
    await Promise.all([again(first), again(second)]);
    expect([seen, await heldOf(set.name), await attemptsOf(set.name)]).toEqual([[], 2, 0]);
    await resumeElsewhere(set.name);
    await again(third);
    expect([seen, await attemptsOf(set.name)]).toEqual([["r1"], 1]);
  });

  it("and a consumer that is resumed while its event is put by gets it at once", async () => {
    const set = recording({ isHere: false });
    await set.emit(tenant(), ["p", 1]);
    await set.relayAll();
    vi.spyOn(scopes, "inScopeOf").mockImplementationOnce(async (tenantId, fn) => {
      await pauseElsewhere(set.name);
      return inScopeOf(tenantId, fn).finally(() => resumeElsewhere(set.name));
    });
    for (const message of set.byTopic) await set.handle(message);
    expect([set.seen, await heldOf(set.name)]).toEqual([["p1"], 0]);
  });

  it("by whatever cause it is held, until the last one is over", async () => {
    const name = `held-${newId()}`;
    const isHeld = async (): Promise<boolean | undefined> =>
      (await systemQuery<{ held: boolean }>("test", "select events.is_held($1) as held", [name]))[0]?.held;
    await pauseElsewhere(name);
    await withSystem("test", (tx) => holdInsert(tx, { consumer: name, cause: "replay", reason: "r", actor: "test" }));
    await resumeElsewhere(name);
    expect(await isHeld()).toBe(true);
    await withSystem("test", (tx) => holdDelete(tx, name, "replay"));
    expect(await isHeld()).toBe(false);
  });
});

describe("a delivery that no handler took", () => {
  it("counts as given back while it is, as failed when it is given up, and as a duplicate afterwards", async () => {
    const name = `unknown-${newId()}`;
    const handle = consumer(name, {}, { deliveryAttempt: () => 1 });
    const event: DomainEvent = {
      id: newId(),
      tenantId: tenant(),
      type: "auth.user.promoted",
      version: 1,
      aggregateType: "user",
      aggregateId: "p",
      payload: {},
      headers: {},
      occurredAt: new Date().toISOString(),
    };
    for (let delivery = 0; delivery < 2; delivery++)
      await expect(handle(event)).rejects.toThrow("not in the catalogue");
    await systemQuery(
      "test",
      "update events.inbox set received_at = now() - $2 * interval '1 hour' where consumer = $1",
      [name, UNKNOWN_EVENT_HOURS + 1],
    );
    for (let delivery = 0; delivery < 3; delivery++) await handle(event);
    const outcomes = ["given_back", "failed", "duplicate", "handled"];
    expect(await Promise.all(outcomes.map((outcome) => sample(name, outcome)))).toEqual([2, 1, 2, 0]);
  });
});
