// Whose events a relay takes first when more is due than one claim takes.
import { expect, it } from "vitest";
import { newId } from "../../db/ids";
import { withSystem } from "../../db/tenant";
import { tenantIdFrom, type TenantId } from "../../security/principal";
import { registerDestination } from "../destinations";
import { appendToOutbox } from "../outbox";
import { createRelay } from "../relay";

const BATCH = 20;

const append = (destination: string, tenantId: TenantId | null, count: number): Promise<void> =>
  withSystem("test", async (tx) => {
    for (let n = 0; n < count; n++)
      await appendToOutbox(tx, {
        id: newId(),
        destination,
        tenantId,
        aggregateType: "thing",
        aggregateId: `thing-${n}`,
        type: "t",
        version: 1,
        payload: {},
        headers: {},
      });
  });

it("an organisation's backlog makes neither another one nor the platform wait longer than a few claims", async () => {
  const destination = `fair-${newId()}`;
  const published: (string | null)[] = [];
  registerDestination(destination, {
    batchSize: BATCH,
    publish: async (rows) => void published.push(...rows.map(({ tenantId }) => tenantId)),
  });
  const [greedy, first, second] = [newId(), newId(), newId()].map(tenantIdFrom) as [TenantId, TenantId, TenantId];
  await append(destination, greedy, 200);
  await append(destination, first, 3);
  await append(destination, null, 1);
  await append(destination, second, 3);
  const relay = createRelay({ destinations: [destination], batch: BATCH, tenantsMax: 10_000 });
  // The first claim finds that it is behind. All tenants of the database at once: others' suites may have left some.
  await relay.runOnce();
  const isDone = (): boolean =>
    [first, second].every((tenantId) => published.filter((id) => id === tenantId).length === 3) &&
    published.includes(null);
  let claims = 1;
  for (; !isDone() && claims < 6; claims++) await relay.runOnce();
  // By age alone their turn would come when the 200 are through, with the eleventh claim.
  expect([isDone(), published.filter((id) => id === greedy).length < 200]).toEqual([true, true]);
  while ((await relay.runOnce()) > 0);
  expect(published.length).toBe(207);
});

it("nor do many organisations at once, however few rows a claim takes", async () => {
  const destination = `fair-${newId()}`;
  const published = new Set<string | null>();
  registerDestination(destination, {
    batchSize: 4,
    publish: async (rows) => void rows.forEach(({ tenantId }) => published.add(tenantId)),
  });
  const tenants = Array.from({ length: 12 }, () => tenantIdFrom(newId()));
  for (const tenantId of [...tenants, null]) await append(destination, tenantId, 20);
  const relay = createRelay({ destinations: [destination], batch: 4, tenantsMax: 50 });
  // Two organisations and one of the longest due a claim, and one of the platform: twice round the circle is enough.
  for (let claims = 0; claims < 14; claims++) await relay.runOnce();
  expect(published).toEqual(new Set([...tenants, null]));
  while ((await relay.runOnce()) > 0);
});
