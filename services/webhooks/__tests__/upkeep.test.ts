// What is kept of webhooks, and for how long.
import { createHmac } from "node:crypto";
import { expect, onTestFinished, test } from "vitest";
import { webhooks } from "~encore/clients";
import { systemQuery } from "../../../db/tenant";
import type { RegisteredCaller } from "../../../testing";
import { takeWebhook } from "../incoming";
import { tenantDelete } from "../store/tenant";
import { purgeTenant } from "../tenant-purge";
import { KEEP_DAYS, purgeSent } from "../upkeep";
import { answering, startReceiver } from "./receiver";
import { createEndpoint, createOrganisation, runAttempts, send } from "./stage";

const TABLES = ["endpoint", "source", "message", "delivery", "attempt", "received"] as const;
type Counts = Record<(typeof TABLES)[number], number>;

async function counts({ tenantId }: RegisteredCaller): Promise<Counts> {
  const found = TABLES.map(async (table) => {
    const [row] = await systemQuery<{ n: number }>(
      "test",
      `select count(*)::int as n from webhooks.${table} where tenant_id = $1`,
      [tenantId],
    );
    return [table, row?.n ?? -1] as const;
  });
  return Object.fromEntries(await Promise.all(found)) as Counts;
}

/** One of each. */
async function fill(): Promise<RegisteredCaller> {
  const receiver = await startReceiver(answering(204));
  onTestFinished(() => receiver.close());
  const owner = await createOrganisation();
  await createEndpoint(owner, receiver.url);
  await send(owner.tenantId);
  expect(await runAttempts(owner.tenantId)).toEqual(["delivered"]);
  const secret = "a secret that is shared";
  const { id } = await webhooks.createSource({ name: "code", scheme: "github", secret }, owner);
  const signature = `sha256=${createHmac("sha256", secret).update("{}").digest("hex")}`;
  await takeWebhook(id, { headers: { "x-hub-signature-256": signature }, body: Buffer.from("{}") });
  return owner;
}

const one: Counts = { endpoint: 1, source: 1, message: 1, delivery: 1, attempt: 1, received: 1 };

test("what was sent, and what came, is known for thirty days, and then gone; what it was for stays", async () => {
  const owner = await fill();
  const age = async (interval: string): Promise<void> => {
    for (const table of ["message", "delivery", "attempt", "received"])
      await systemQuery(
        "test",
        `update webhooks.${table} set created_at = now() - $2::interval${table === "delivery" ? ", ended_at = now() - $2::interval" : ""}
          where tenant_id = $1`,
        [owner.tenantId, interval],
      );
  };
  await age(`${KEEP_DAYS - 1} days 23 hours`);
  await purgeSent();
  expect(await counts(owner)).toEqual(one);
  await age(`${KEEP_DAYS} days 1 hour`);
  await purgeSent();
  expect(await counts(owner)).toEqual({ ...one, message: 0, delivery: 0, attempt: 0, received: 0 });
});

test("an organisation that is gone leaves nothing, and takes nothing of another along", async () => {
  const [gone, other] = [await fill(), await fill()];
  expect(tenantDelete).toHaveLength(TABLES.length);
  expect(await purgeTenant(gone.tenantId)).toBe(true);
  expect(Object.values(await counts(gone))).toEqual(TABLES.map(() => 0));
  expect(await counts(other)).toEqual(one);
});
