import { expect, test, vi } from "vitest";
import { WAITING_MAX } from "../buses/bus";
import { EventBus } from "../buses/event-bus";
import { defineBusContract, newNotice } from "./bus-contract";

defineBusContract("of one process", new EventBus());

test("a subscriber that cannot keep up loses the oldest, and nothing grows", async () => {
  const bus = new EventBus();
  const notice = newNotice();
  const seen: number[] = [];
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  await bus.subscribe(notice, async ({ data: { n } }) => {
    await held;
    seen.push(n);
  });
  for (let n = 0; n < WAITING_MAX + 500; n++) await bus.publish(notice, { n });
  release();
  await vi.waitFor(() => expect(seen.at(-1)).toBe(WAITING_MAX + 499), { timeout: 90_000 });
  expect(seen.length).toBeLessThanOrEqual(WAITING_MAX + 1);
  await bus.close();
});

test("a bus that everybody has left holds nothing", async () => {
  const bus = new EventBus();
  for (let n = 0; n < 100; n++) {
    const subscriptions = await Promise.all(
      ["a", "a", undefined].map((group) =>
        bus.subscribe(newNotice(), async () => undefined, group === undefined ? {} : { group }),
      ),
    );
    await Promise.all(subscriptions.map((subscription) => subscription.close()));
  }
  expect((bus as unknown as { groups: Map<string, unknown> }).groups.size).toBe(0);
});
