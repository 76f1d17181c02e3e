// What waits for a consumer that does not come back: it is seen, may be discarded for good, and goes when it is too old.
import { describe, expect, it } from "vitest";
import { newId } from "../../db/ids";
import { systemQuery } from "../../db/tenant";
import { renderPrometheus } from "../../telemetry/metrics";
import { discardHeld, listConsumers, pauseConsumer, resumeConsumer, type ConsumerStanding } from "../consumer-desk";
import { declarations } from "../declarations";
import { moveHeldOn } from "../hold-release";
import { HELD_DAYS, purgeExpired } from "../retention";
import { DECLARATION_MINUTES } from "../store/declaration";
import { HELD_DEPTHS } from "../store/hold";
import { leave, rowsOf, stage, tenant } from "./direct-stage";
import { heldOf } from "./held-stage";

const REASON = "it was taken out of the app";

function recording() {
  const seen: string[] = [];
  const set = stage(
    async (tx, { payload: { organisationName: what } }) => {
      seen.push(what);
      await leave(tx, set.name, what);
    },
    { isHere: false },
  );
  return { ...set, seen };
}

const age = (name: string, days: number): Promise<unknown> =>
  systemQuery("test", "update events.held set held_at = now() - $2 * interval '1 day' where consumer = $1", [
    name,
    days,
  ]);
const standingOf = async (name: string): Promise<ConsumerStanding | undefined> =>
  (await listConsumers()).find(({ consumer }) => consumer === name);

/** Paused, with two events of an aggregate waiting. */
async function waiting() {
  const set = recording();
  const tenantId = tenant();
  await declarations.refresh();
  await pauseConsumer(set.name, REASON);
  await set.emit(tenantId, ["p", 1], ["p", 2]);
  await set.relayAll();
  expect(await heldOf(set.name)).toBe(2);
  return { ...set, tenantId };
}

describe("what waits for a consumer", () => {
  it("is listed with whether any version has it, and measured by how long the first of it has waited", async () => {
    const { name } = await waiting();
    await age(name, 40);
    const depths = await systemQuery<{ consumer: string; oldestSeconds: number }>("test", HELD_DEPTHS);
    const oldest = depths.find(({ consumer }) => consumer === name)?.oldestSeconds ?? 0;
    expect(Math.round(oldest / 86_400)).toBe(40);
    expect(await standingOf(name)).toMatchObject({ isDeclared: true, waiting: 2 });
    const seenAgo =
      "update events.consumer_declaration set seen_at = now() - $2 * interval '1 second' where consumer = $1";
    await systemQuery("test", seenAgo, [name, DECLARATION_MINUTES * 60 + 1]);
    expect(await standingOf(name)).toMatchObject({ isDeclared: false, waiting: 2 });
  });

  it("is discarded for good, by the log's leave, and what comes afterwards is not", async () => {
    const { name, emit, relayAll, handle, byTopic, seen, tenantId } = await waiting();
    const [held] = await systemQuery<{ id: string }>(
      "test",
      "select event_id as id from events.held where consumer = $1 order by position",
      [name],
    );
    expect(await discardHeld(name, REASON)).toBe(2);
    const entries = await systemQuery(
      "test",
      "select action, fields from audit.entry where target_id = $1 order by seq",
      [name],
    );
    const until = expect.any(String) as string;
    expect(entries.at(-1)).toEqual({ action: "events.consumer.discarded", fields: { reason: REASON, until } });
    await emit(tenantId, ["p", 3]);
    await relayAll();
    expect([await heldOf(name), await discardHeld(name, REASON)]).toEqual([1, 1]);
    await resumeConsumer(name, REASON);
    await emit(tenantId, ["p", 4]);
    await relayAll();
    for (const message of byTopic) await handle(message);
    expect(seen).toEqual(["p4"]);
    // It is done with them: the topic may bring one once more.
    const [again] = byTopic;
    await handle({ ...again!, id: held?.id ?? "" });
    expect(seen).toEqual(["p4"]);
    await expect(discardHeld(newId(), REASON)).rejects.toMatchObject({ code: "not_found" });
  });

  it("of a replay leaves, discarded, what its consumer had noted of it", async () => {
    const { name, seen, handle, emit, relayAll, byTopic, tenantId } = await waiting();
    await systemQuery("test", "update events.held set noted = 'handled' where consumer = $1", [name]);
    expect(await discardHeld(name, REASON)).toBe(2);
    const handled =
      "select count(*)::int as n from events.inbox where consumer = $1 and processed_at is not null and dead_at is null";
    expect(await rowsOf(name, handled)).toBe(2);
    await resumeConsumer(name, REASON);
    await emit(tenantId, ["p", 3]);
    await relayAll();
    for (const message of byTopic) await handle(message);
    expect(seen).toEqual(["p3"]);
  });

  it("is deleted when it has waited for too long, told by consumer, and nothing else is", async () => {
    const { name, emit, relayAll, seen, handle, byTopic, tenantId } = await waiting();
    await age(name, HELD_DAYS + 1);
    await emit(tenantId, ["p", 3]);
    await relayAll();
    await systemQuery(
      "test",
      "update events.held set held_at = now() - $2 * interval '1 day' where consumer = $1 and held_at > now() - interval '1 day'",
      [name, HELD_DAYS - 1],
    );
    const { held } = await purgeExpired({ statementTimeoutMs: 30_000, totalMs: 60_000, batchMax: 1 });
    expect([held, await heldOf(name)]).toEqual([2, 1]);
    const line = (await renderPrometheus())
      .split("\n")
      .find((text) => text.startsWith("events_held_expired_total") && text.includes(`"${name}"`));
    expect(line?.split(" ").at(-1)).toBe("2");
    await resumeConsumer(name, REASON);
    while (await moveHeldOn(1_000_000));
    await relayAll();
    for (const message of byTopic) await handle(message);
    expect(seen).toEqual(["p3"]);
  });
});
