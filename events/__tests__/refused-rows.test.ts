// What the relay cannot hand over, through the fault of the row itself.
import { events } from "~encore/clients";
import { describe, expect, it } from "vitest";
import { newId } from "../../db/ids";
import { systemQuery, withTenant } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { registerDestination } from "../destinations";
import { appendToOutbox, PAYLOAD_BYTES_MAX, type OutboxEntry } from "../outbox";
import { createRelay, type Relay, type RelayOptions } from "../relay";

const destination = `refusing-${newId()}`;
const tenantId = tenantIdFrom(newId());
const delivered: { aggregate: string; n: number }[] = [];
let refuse: (n: number) => boolean = () => false;

registerDestination(destination, {
  batchSize: 1,
  publish: async ([row]) => {
    const { n } = row?.payload as { n: number };
    if (refuse(n)) throw new Error(`refused ${n}`);
    delivered.push({ aggregate: row?.aggregateId ?? "", n });
  },
});

const entry = (aggregateId: string, payload: unknown): OutboxEntry => ({
  id: newId(),
  destination,
  tenantId,
  aggregateType: "thing",
  aggregateId,
  type: "test.thing.changed",
  version: 1,
  payload,
  headers: {},
});
const appendOne = (row: OutboxEntry): Promise<string> => withTenant({ tenantId }, (tx) => appendToOutbox(tx, row));
const append = (aggregate: string, n: number): Promise<string> => appendOne(entry(aggregate, { n }));
const relay = (options: RelayOptions): Relay =>
  createRelay({ destinations: [destination], backoff: { firstMs: 0, maxMs: 0 }, random: () => 0, ...options });
const makeDue = (id: string) =>
  systemQuery("test", "update events.outbox set next_attempt_at = now() where id = $1", [id]);
const rowOf = async (id: string) =>
  (await systemQuery("test", "select status, attempts, last_error from events.outbox where id = $1", [id]))[0];

describe("a row that its destination refuses while it accepts others", () => {
  const authTime = String(Math.floor(Date.now() / 1000));
  const authData = { userID: newId(), tenantId, role: "owner", sessionId: newId(), authTime } as const;
  const letters = async () =>
    (await events.listDeadLetters({ consumer: `relay:${destination}` }, { authData })).deadLetters;
  const filter = { consumer: `relay:${destination}` };

  it("becomes a dead letter that can be listed, sent again under its own id and discarded; what waits behind it goes on", async () => {
    refuse = (n) => n === 1;
    const patient = relay({ maxAttempts: 3 });
    await append("beside", 7);
    await patient.runOnce();
    const stuck = await append("stuck", 1);
    await append("stuck", 2);
    for (let turn = 0; turn < 3; turn++) {
      expect(await letters()).toEqual([]);
      expect(await rowOf(stuck)).toMatchObject({ status: turn === 0 ? "PENDING" : "FAILED" });
      await makeDue(stuck);
      await patient.runOnce();
    }
    const [letter, ...others] = await letters();
    expect(others).toEqual([]);
    expect(letter).toMatchObject({
      eventId: stuck,
      reason: "not_handed_over",
      error: "it could not be handed to those it is for",
      attempts: 3,
      aggregateId: "stuck",
    });
    expect(await rowOf(stuck)).toEqual({ status: "DEAD", attempts: 3, last_error: "Error: refused 1" });
    await patient.runOnce();
    expect(delivered).toEqual([
      { aggregate: "beside", n: 7 },
      { aggregate: "stuck", n: 2 },
    ]);

    refuse = () => false;
    expect(await events.redriveDeadLetters({ filter }, { authData })).toEqual({ redriven: 1, more: false });
    await patient.runOnce();
    expect(delivered.at(-1)).toEqual({ aggregate: "stuck", n: 1 });
    const [again] = await systemQuery<{ headers: Record<string, string> }>(
      "test",
      "select headers from events.outbox where destination = $1 and headers ? 'redrive-of' and tenant_id = $2",
      [destination, tenantId],
    );
    expect(again?.headers).toMatchObject({ "redrive-of": stuck });
    expect(again?.headers).not.toHaveProperty("redrive-consumer");
    expect(await events.discardDeadLetters({ filter }, { authData })).toEqual({ discarded: 0, more: false });
  });

  it("is tried for ever by a destination that accepts nothing", async () => {
    refuse = () => true;
    const away = await append("away", 1);
    const patient = relay({ maxAttempts: 2 });
    for (let turn = 0; turn < 5; turn++) {
      await makeDue(away);
      await patient.runOnce();
    }
    expect(await rowOf(away)).toMatchObject({ status: "FAILED", attempts: 5 });
    refuse = () => false;
    await makeDue(away);
    await patient.runOnce();
    expect(await rowOf(away)).toMatchObject({ status: "SENT" });
  });
});

describe("a payload", () => {
  it("that no transport takes is refused before anything is written, with what is wrong; one of the longest is not", async () => {
    const ofBytes = (bytes: number) => entry("large", "é".repeat((bytes - 2) / 2));
    const tooLarge = ofBytes(PAYLOAD_BYTES_MAX + 2);
    await expect(appendOne(tooLarge)).rejects.toMatchObject({
      code: "invalid_argument",
      details: { reason: "payload_too_large", type: "test.thing.changed", bytes: "262146", bytesMax: "262144" },
    });
    expect(await rowOf(tooLarge.id)).toBeUndefined();
    await appendOne(ofBytes(PAYLOAD_BYTES_MAX));
  });
});
