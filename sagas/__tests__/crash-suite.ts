// A process that dies at each place where it could: before and behind every message that the driving of a saga sends to the
// database, on its way forward and on its way back. Then another one takes it up. Whatever the place: all is done, or all is
// undone, and no effect is there twice. Temporal's and DBOS's own suites recover from each recorded step in the same way.
import { expect, test } from "vitest";
import { dieEverywhere, makeWorkMortal, surviveDeath } from "../../db/__tests__/deaths";
import { tenantQuery } from "../../db/tenant";
import type { TenantId } from "../../security/principal";
import { createCaller } from "../../testing";
import { UnrecoverableStepError, type Saga } from "../definition";
import { cancelSaga } from "../operation";
import * as ledger from "./ledger";

interface Ending {
  place: string;
  state: string | undefined;
  faults: string[];
}

/** Which places: each, or one of `every` from a place on. */
export type Places = { every: number; from: number };
const EACH: Places = { every: 1, from: 1 };

interface Scenario {
  saga: Saga<{ order: string }>;
  steps: readonly string[];
  places: Places;
  afterDeath?: (tenantId: TenantId, id: string) => Promise<unknown>;
}

/** Dies, is taken up by the living, and says how it ended. */
async function endingsOf({ saga, steps, places, afterDeath }: Scenario): Promise<Ending[]> {
  const endings: Ending[] = [];
  await dieEverywhere(async (at, side) => {
    const tenantId = ledger.newTenant();
    const id = await ledger.begin(tenantId, saga);
    const survived = await surviveDeath(at, side, () => ledger.drive(saga, tenantId, id));
    await afterDeath?.(tenantId, id);
    await ledger.endLeases(tenantId);
    await ledger.drive(saga, tenantId, id);
    const faults = await ledger.faultsOf(tenantId, id, steps);
    endings.push({ place: `${side} message ${at}`, state: await ledger.stateOf(id), faults });
    return survived;
  }, places);
  return endings;
}

const faulty = (endings: readonly Ending[]): Ending[] => endings.filter(({ faults }) => faults.length > 0);
const states = (endings: readonly Ending[]): unknown[] => [...new Set(endings.map(({ state }) => state))].sort();
const LIMIT_MS = 120_000;

export function defineCrashSuite(places: Places): void {
  makeWorkMortal();
  const where = `one place of ${places.every} from ${places.from} on`;

  test(`a saga that can be done is done, wherever its process dies: ${where}`, { timeout: LIMIT_MS }, async () => {
    const endings = await endingsOf({ saga: ledger.order, steps: ["reserve", "ship"], places });
    expect(faulty(endings)).toEqual([]);
    expect(states(endings)).toEqual(["completed"]);
    expect(endings.length * places.every).toBeGreaterThan(50);
  });

  test(
    "a saga that cannot be done is undone, wherever its process dies, its undos included",
    { timeout: LIMIT_MS },
    async () => {
      const endings = await endingsOf({ saga: ledger.doomed, steps: ["reserve", "ship"], places });
      expect(faulty(endings)).toEqual([]);
      expect(states(endings)).toEqual(["compensated"]);
      expect(endings.length * places.every).toBeGreaterThan(80);
    },
  );

  test("a call of which nobody knows whether it had an effect is undone too", { timeout: LIMIT_MS }, async () => {
    const endings = await endingsOf({ saga: ledger.unclear, steps: ["reserve"], places });
    expect(faulty(endings)).toEqual([]);
    expect(states(endings)).toEqual(["compensated"]);
  });

  test(
    "a saga that is canceled when its process has died is undone, unless it was done",
    { timeout: LIMIT_MS },
    async () => {
      const afterDeath = (tenantId: TenantId, id: string) =>
        cancelSaga(createCaller("owner", { tenantId }).principal, id).catch(() => undefined);
      const endings = await endingsOf({ saga: ledger.order, steps: ["reserve", "ship"], places, afterDeath });
      expect(faulty(endings)).toEqual([]);
      expect(states(endings)).toEqual(["compensated", "completed"]);
    },
  );

  test("a step whose effect commits apart from its note is caught", { timeout: LIMIT_MS }, async () => {
    const saga = ledger.withStep(async (tenantId) => {
      await tenantQuery(
        { tenantId },
        "insert into queues.tenant_turn (tenant_id, queue, finish_tag) values ($1, 'do:ship ' || gen_random_uuid(), 1)",
        [tenantId],
      );
    });
    const endings = await endingsOf({ saga, steps: ["ship"], places: EACH });
    expect(faulty(endings).flatMap(({ faults }) => faults)).toContain("do:ship twice");
  });

  test(
    "an undo that believes that a call without an answer had no effect is caught",
    { timeout: LIMIT_MS },
    async () => {
      const saga = ledger.withCall(
        ({ key }) => {
          ledger.payments.charge(key);
          throw new UnrecoverableStepError("no_answer");
        },
        ({ result, stepKey }) => {
          if (result !== undefined) ledger.payments.refund(stepKey);
        },
      );
      const endings = await endingsOf({ saga, steps: ["reserve"], places: { every: 1_000, from: 1 } });
      expect(faulty(endings).flatMap(({ faults }) => faults)).toContain("charged 1 times, though compensated");
    },
  );
}
