// Hand-overs that were never answered: their promises stay in memory, so they must not grow without end, and a destination that has
// lost many answers, and is in order since, must not be closed for ever.
import { expect, it, onTestFinished, vi } from "vitest";
import { newId } from "../../db/ids";
import { withTenant } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { registerDestination } from "../destinations";
import { appendToOutbox } from "../outbox";
import { createRelay } from "../relay";

const MANY = 1_000;
const HOUR_MS = 3_600_000;
const destination = `forgetful-${newId()}`;
const tenantId = tenantIdFrom(newId());

/** Calls that have had no answer, oldest first. */
const calls: { accept: () => void; signal: AbortSignal }[] = [];
registerDestination(destination, {
  batchSize: 1,
  publish: (_rows, signal) => new Promise<void>((accept) => calls.push({ accept, signal })),
});

const append = (count: number): Promise<void> =>
  withTenant({ tenantId }, async (tx) => {
    for (let n = 0; n < count; n++) {
      const thing = { aggregateType: "thing", aggregateId: newId(), type: "test.thing.changed", version: 1 };
      await appendToOutbox(tx, { ...thing, id: newId(), destination, tenantId, payload: { n }, headers: {} });
    }
  });

/** Appends so many; resolves with how many are handed over before one is answered, and answers all. */
async function handedOverAtOnce(count: number): Promise<number> {
  calls.length = 0;
  await append(count);
  await expect.poll(() => calls.length, { timeout: 10_000 }).toBeGreaterThan(0);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const first = calls.length;
  for (let n = 0; n < count; n++) {
    await expect.poll(() => calls.length).toBeGreaterThan(n);
    calls[n]?.accept();
  }
  return first;
}

it("a destination that left a thousand unanswered is asked one row after the other, and all at once again an hour later", async () => {
  await append(MANY);
  const running = createRelay({
    destinations: [destination],
    batch: MANY,
    concurrency: MANY,
    leaseMs: 4_000,
    pollMs: 5,
    backoff: { firstMs: HOUR_MS, maxMs: HOUR_MS, jitter: 0 },
    random: () => 0,
  });
  onTestFinished(() => running.stop());
  running.start();
  await expect.poll(() => calls.filter(({ signal }) => signal.aborted).length, { timeout: 20_000 }).toBe(MANY);
  expect(await handedOverAtOnce(1)).toBe(1);
  expect(await handedOverAtOnce(3)).toBe(1);
  const now = performance.now.bind(performance);
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now() + HOUR_MS);
  onTestFinished(() => clock.mockRestore());
  expect(await handedOverAtOnce(3)).toBe(3);
});
