// A server that dies at each place where it could: before and behind every message that a request sends to the database.
// Then the client sends its request again, as often as it takes.
import { randomUUID } from "node:crypto";
import { beforeEach, expect, test, vi } from "vitest";
import { dieEverywhere, makeWorkMortal, surviveDeath, type Side } from "../../db/__tests__/deaths";
import { tenantQuery } from "../../db/tenant";
import { reasonOf } from "../../security/errors";
import { tenantIdFrom, type AuthData } from "../../security/principal";
import { addRow, countRows, endLeases, member, send } from "./requests";

const caller: { current: AuthData } = vi.hoisted(() => ({ current: {} as AuthData }));
vi.mock("~encore/auth", () => ({ getAuthData: () => caller.current }));

makeWorkMortal();

let me: AuthData & { tenantId: string };
beforeEach(() => {
  caller.current = me = member();
});

const sendAndDie = (at: number, side: Side, key: string, handler: () => Promise<unknown>): Promise<boolean> =>
  surviveDeath(at, side, () => send({ key, handler }));

/** As a client that does not give up, with the lease over at once. */
async function repeat(key: string, handler: () => Promise<unknown>): Promise<unknown> {
  for (let attempt = 0; attempt < 20; attempt++) {
    await endLeases(me.tenantId);
    try {
      return (await send({ key, handler })).payload;
    } catch (error) {
      if (reasonOf(error) !== "idempotency_key_in_use") return reasonOf(error) ?? error;
    }
  }
  throw new Error("the key was never given back");
}

/** Dies at every place there is; answers how many messages there are. */
const everywhere = (
  handler: () => Promise<unknown>,
  check: (place: string, key: string) => Promise<void>,
): Promise<number> =>
  dieEverywhere(async (at, side) => {
    caller.current = me = member();
    const key = randomUUID();
    // Makes the tenant known to the database, which happens once and is no part of a request.
    await tenantQuery({ tenantId: tenantIdFrom(me.tenantId) }, "select 1");
    const survived = await sendAndDie(at, side, key, handler);
    await check(`${side} message ${at}`, key);
    return survived;
  });

test("a request with one transaction has one effect and one answer, wherever its server dies", async () => {
  const handler = async (): Promise<unknown> => ({ id: await addRow(me.tenantId) });
  const messages = await everywhere(handler, async (place, key) => {
    const before = await countRows(me.tenantId);
    const answer = await repeat(key, handler);
    expect(answer, place).toMatchObject({ id: expect.any(String) as string });
    expect(await repeat(key, handler), place).toEqual(answer);
    expect(await countRows(me.tenantId), `${place}, ${before} before`).toBe(1);
    const [row] = await tenantQuery<{ queue: string }>(
      { tenantId: tenantIdFrom(me.tenantId) },
      "select queue from queues.tenant_turn",
    );
    expect({ id: row?.queue }, place).toEqual(answer);
  });
  // claim, its commit, the row, the answer, their commit
  expect(messages).toBe(5);
});

test("a request with several transactions has each effect once at most, and says so when it cannot know the answer", async () => {
  const handler = async (): Promise<unknown> => {
    const first = await addRow(me.tenantId, "first");
    await tenantQuery({ tenantId: tenantIdFrom(me.tenantId) }, "select 1");
    return { first, second: await addRow(me.tenantId, "second") };
  };
  const seen = new Set<string>();
  await everywhere(handler, async (place, key) => {
    const answer = await repeat(key, handler);
    expect(await repeat(key, handler), place).toEqual(answer);
    const rows = await countRows(me.tenantId);
    seen.add(`${JSON.stringify(answer)} ${rows}`);
    // A second insertion of either would have failed on its key, so that a repeated effect shows as an error.
    if (answer === "idempotency_answer_unknown") expect(rows, place).toBe(1);
    else expect([answer, rows], place).toEqual([{ first: "first", second: "second" }, 2]);
  });
  expect([...seen].sort()).toEqual(['"idempotency_answer_unknown" 1', '{"first":"first","second":"second"} 2']);
});
