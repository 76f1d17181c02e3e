// Dead letters of no organisation: who sees them, sends them again and discards them, and what the installation's log keeps of it.
import { events, queues } from "~encore/clients";
import { describe, expect, it } from "vitest";
import { newId } from "../../db/ids";
import { systemQuery } from "../../db/tenant";
import { buryJob } from "../../queues/dead-letters";
import { tenantIdFrom, type AuthData } from "../../security/principal";
import { handleAllByCommand, platformEvents } from "../platform-letters";

const PURPOSE = "ticket 4711: the ledger is mended";

const staff = (scope = "operator.dead_letter.read operator.dead_letter.manage") => ({
  authData: { userID: newId(), kind: "operator" as const, scope, authTime: String(Date.now() / 1000) },
});
const owner = (tenantId: string): { authData: AuthData } => ({
  authData: { userID: newId(), tenantId: tenantIdFrom(tenantId), role: "owner" },
});

/** Adds open dead letters of one consumer, a second apart, the first the oldest. */
function letters(consumer: string, count: number, tenantId: string | null = null): Promise<unknown> {
  return systemQuery(
    "test",
    `insert into events.dead_letter (id, tenant_id, consumer, event_id, aggregate_type, aggregate_id, type, version, payload, occurred_at, reason, error, attempts, dead_at)
     select gen_random_uuid(), $2, $1, gen_random_uuid(), 'platform', '1', 'auth.user.registered', 1, jsonb_build_object('n', n), now(), 'attempts_exhausted',
            'Error: no ledger ' || n, 8, now() - ($3 - n) * interval '1 second' from generate_series(1, $3::int) n`,
    [consumer, tenantId, count],
  );
}

const payloadsSentTo = async (consumer: string): Promise<unknown[]> => {
  const rows = await systemQuery<{ n: number }>(
    "test",
    "select (payload->>'n')::int as n from events.outbox where headers::text like '%' || $1 || '%' order by position",
    [consumer],
  );
  return rows.map(({ n }) => n);
};

const logOf = (operator: string) =>
  systemQuery<{ action: string; fields: Record<string, unknown>; tenant: string | null }>(
    "test",
    "select action, fields from audit.entry where actor = $1 order by seq",
    [operator],
  );

describe("dead letters of the platform's own events", () => {
  it("are listed with what went wrong, by page and by filter, and none of an organisation's is", async () => {
    const [consumer, tenantId] = [`own-${newId()}`, newId()];
    await letters(consumer, 3);
    await letters(consumer, 2, tenantId);
    const first = await events.operatorListDeadLetters({ consumer, limit: 2 }, staff());
    expect(first.deadLetters).toEqual(
      [3, 2].map((n) =>
        expect.objectContaining({
          consumer,
          reason: "attempts_exhausted",
          error: "every attempt failed",
          internalError: `Error: no ledger ${n}`,
        }),
      ),
    );
    const rest = await events.operatorListDeadLetters({ consumer, limit: 2, cursor: first.next ?? "" }, staff());
    expect(rest.deadLetters.map(({ internalError }) => internalError)).toEqual(["Error: no ledger 1"]);
    expect(rest.next).toBeUndefined();
    expect((await events.operatorListDeadLetters({ consumer, reason: "other" }, staff())).deadLetters).toEqual([]);
    const { deadLetters: own } = await events.listDeadLetters({ consumer }, owner(tenantId));
    expect([own.length, own.some((letter) => "internalError" in letter)]).toEqual([2, false]);
  });

  it("are sent again, or closed, as the filter says, and the installation's log keeps who did so and what for", async () => {
    const [consumer, tenantId] = [`own-${newId()}`, newId()];
    await letters(consumer, 2);
    await letters(consumer, 1, tenantId);
    const operator = staff();
    const [newest, oldest] = (await events.operatorListDeadLetters({ consumer }, operator)).deadLetters;
    const only = { filter: { ids: [oldest?.id ?? ""] }, purpose: PURPOSE };
    expect(await events.operatorRedriveDeadLetters(only, operator)).toEqual({ redriven: 1, more: false });
    expect(await payloadsSentTo(consumer)).toEqual([1]);
    await expect(events.operatorRedriveDeadLetters(only, operator)).rejects.toMatchObject({
      details: { reason: "dead_letter_not_found" },
    });
    const all = { filter: { consumer }, purpose: PURPOSE };
    expect(await events.operatorDiscardDeadLetters(all, operator)).toEqual({ discarded: 1, more: false });
    expect(await events.operatorDiscardDeadLetters(all, operator)).toEqual({ discarded: 0, more: false });
    expect(await payloadsSentTo(consumer)).toEqual([1]);
    expect((await events.operatorListDeadLetters({ consumer }, operator)).deadLetters).toEqual([]);
    expect((await events.listDeadLetters({ consumer }, owner(tenantId))).deadLetters).toHaveLength(1);
    const nothing = { source: null, type: null, reason: null, from: null, until: null };
    expect(await logOf(`operator:${operator.authData.userID}`)).toEqual([
      { action: "events.dead_letter.redriven", fields: { ...nothing, letters: 1, purpose: PURPOSE } },
      {
        action: "events.dead_letter.discarded",
        fields: { ...nothing, source: consumer, letters: 1, purpose: PURPOSE },
      },
    ]);
    expect(newest?.id).not.toBe(oldest?.id);
  });

  it("want a purpose and a filter, and open to nobody without the right", async () => {
    const consumer = `own-${newId()}`;
    await letters(consumer, 1);
    const to = { filter: { consumer }, purpose: PURPOSE };
    for (const act of [events.operatorRedriveDeadLetters, events.operatorDiscardDeadLetters]) {
      for (const wrong of [
        { ...to, purpose: "" },
        { filter: {}, purpose: PURPOSE },
      ])
        await expect(act(wrong, staff())).rejects.toMatchObject({ code: "invalid_argument" });
      for (const caller of [staff("operator.dead_letter.read"), staff("operator.consumer.manage"), owner(newId())])
        await expect(act(to, caller)).rejects.toMatchObject({ code: "permission_denied" });
    }
    for (const caller of [staff("operator.consumer.read"), owner(newId())])
      await expect(events.operatorListDeadLetters({}, caller)).rejects.toMatchObject({ code: "permission_denied" });
    expect((await events.operatorListDeadLetters({ consumer }, staff())).deadLetters).toHaveLength(1);
  });

  it("all go by command, however many they are", async () => {
    const consumer = `own-${newId()}`;
    await letters(consumer, 502);
    // As one that is given up once more while its like are still sent again.
    await systemQuery(
      "test",
      "update events.dead_letter set dead_at = now() + interval '1 hour' where consumer = $1 and payload = '{\"n\": 1}'",
      [consumer],
    );
    expect(await handleAllByCommand(platformEvents.discard, { source: consumer })).toBe(501);
    const { deadLetters } = await events.operatorListDeadLetters({ consumer }, staff());
    expect(deadLetters.map(({ internalError }) => internalError)).toEqual(["Error: no ledger 1"]);
    await expect(handleAllByCommand(platformEvents.discard, {})).rejects.toMatchObject({ code: "invalid_argument" });
  });
});

describe("dead letters of the platform's own jobs", () => {
  it("are listed, run again and closed in the same way", async () => {
    const job = `test:own-${newId()}`;
    for (const [tenantId, n] of [
      [null, 1],
      [null, 2],
      [tenantIdFrom(newId()), 3],
    ] as const)
      await buryJob({
        queue: job,
        jobId: newId(),
        tenantId,
        payload: { n },
        headers: {},
        reason: "unrecoverable",
        error: `Error: ${n}`,
        attempts: 1,
      });
    const operator = staff();
    const { deadLetters } = await queues.operatorListDeadLetters({ job }, operator);
    expect(deadLetters.map(({ internalError }) => internalError).sort()).toEqual(["Error: 1", "Error: 2"]);
    const ids = deadLetters.filter(({ internalError }) => internalError === "Error: 1").map(({ id }) => id);
    const again = await queues.operatorRedriveDeadLetters({ filter: { ids }, purpose: PURPOSE }, operator);
    expect(again).toEqual({ redriven: 1, more: false });
    const sent = await systemQuery("test", "select payload, destination from events.outbox where type = $1", [job]);
    expect(sent).toEqual([{ payload: { n: 1 }, destination: "job" }]);
    const rest = { filter: { job }, purpose: PURPOSE };
    expect(await queues.operatorDiscardDeadLetters(rest, operator)).toEqual({ discarded: 1, more: false });
    expect((await queues.operatorListDeadLetters({ job }, operator)).deadLetters).toEqual([]);
    await expect(queues.operatorDiscardDeadLetters(rest, owner(newId()))).rejects.toMatchObject({
      code: "permission_denied",
    });
  });
});
