// Events whose handler ends the process. What a death leaves behind is a delivery that nothing was written down of.
import { describe, expect, it } from "vitest";
import { newId } from "../../db/ids";
import { systemQuery } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { consumer, type EventHandler } from "../consumer";
import { OneAtATime } from "../lost-deliveries";
import type { DomainEvent } from "../topic";
import { messageOf, registered } from "./redrive-after-fix";

const tenantId = tenantIdFrom(newId());

const newEvent = (): DomainEvent =>
  messageOf({
    ...registered(tenantId, newId()),
    aggregateKey: "",
    position: 1,
    occurredAt: new Date(),
    dueAt: new Date(),
    attempts: 1,
    refusals: 0,
  });

/** A consumer as a new process has it, and how its transport says how often it delivered. */
function processOf(name: string, handler: EventHandler<unknown>) {
  let attempt = 1;
  const handle = consumer(
    name,
    { "auth.user.registered@1": handler },
    { maxAttempts: 2, deliveryAttempt: () => attempt },
  );
  return (event: DomainEvent, nth: number): Promise<void> => {
    attempt = nth;
    return handle(event);
  };
}

const attemptsOf = async (event: DomainEvent): Promise<number | undefined> =>
  (
    await systemQuery<{ attempts: number }>("test", "select attempts from events.inbox where event_id = $1", [event.id])
  )[0]?.attempts;

const lettersOf = (name: string) =>
  systemQuery("test", "select event_id, reason, attempts from events.dead_letter where consumer = $1", [name]);

describe("an event that was lost with its process", () => {
  it("is counted before its handler runs, and given up without running when deaths have used its attempts up", async () => {
    const name = `deadly-${newId()}`;
    const event = newEvent();
    const counted: (number | undefined)[] = [];
    // As if the process died: the handler has run, and what it did and what came of it was never written.
    const dies = async (nth: number): Promise<void> => {
      const deliver = processOf(name, async (tx) => {
        const [row] = await tx.query<{ attempts: number }>("select attempts from events.inbox where event_id = $1", [
          event.id,
        ]);
        counted.push(row?.attempts);
        throw new Error("died");
      });
      await deliver(event, nth).catch(() => undefined);
    };
    await dies(2);
    expect(counted).toEqual([1]);
    expect(await attemptsOf(event)).toBe(1);
    await systemQuery("test", "update events.inbox set attempts = 2 where event_id = $1", [event.id]);
    await dies(4);
    expect(counted).toEqual([1]);
    expect(await lettersOf(name)).toEqual([{ event_id: event.id, reason: "stalled_too_often", attempts: 2 }]);
    await dies(5);
    expect([counted.length, (await lettersOf(name)).length]).toEqual([1, 1]);
  });

  it("acts once when it was not to blame, and costs nothing when each delivery before is accounted for", async () => {
    const [lost, failed] = [newEvent(), newEvent()];
    const handled: string[] = [];
    let failures = 1;
    const deliver = processOf(`innocent-${newId()}`, async (_tx, { id }) => {
      if (id === failed.id && failures-- > 0) throw new Error("not yet");
      handled.push(id);
    });
    await deliver(lost, 2);
    await deliver(lost, 3);
    await expect(deliver(failed, 1)).rejects.toThrow("not yet");
    expect(await attemptsOf(failed)).toBe(1);
    await deliver(failed, 2);
    expect(handled).toEqual([lost.id, failed.id]);
    expect(await attemptsOf(failed)).toBe(1);
  });
});

describe("turns", () => {
  it("let one run at a time, whatever becomes of it, and pass one over that does not end", async () => {
    const turns = new OneAtATime(20);
    const log: string[] = [];
    const run = (name: string, end: () => Promise<void>) =>
      turns.take(async () => {
        log.push(`${name} begins`);
        await end();
        log.push(`${name} ends`);
      });
    const first = run("first", async () => new Promise((resolve) => setImmediate(resolve)));
    const second = run("second", () => Promise.reject(new Error("second fails")));
    void run("endless", () => new Promise(() => undefined));
    const last = run("last", async () => undefined);
    await expect(second).rejects.toThrow("second fails");
    await Promise.all([first, last]);
    expect(log).toEqual(["first begins", "first ends", "second begins", "endless begins", "last begins", "last ends"]);
  });
});
