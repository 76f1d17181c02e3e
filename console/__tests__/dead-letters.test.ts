// Dead letters of organisations in the hands of staff: each look and each act stands in the organisation's log, and what exactly went
// wrong is for staff alone.
import { console as app, events, queues } from "~encore/clients";
import { describe, expect, test } from "vitest";
import { entryList } from "../../audit/store";
import { newId } from "../../db/ids";
import { systemQuery } from "../../db/tenant";
import { buryJob } from "../../queues/dead-letters";
import { createCaller, registerCaller } from "../../testing";

const REASON = "ticket 4711: a document failed";
const CAUSE = "Error: the embedder answered <script>alert(1)</script>";
const staff = {
  authData: {
    userID: newId(),
    kind: "operator" as const,
    scope: "operator.dead_letter.read operator.dead_letter.manage",
    authTime: String(Date.now() / 1000),
  },
};
const job = `console:test-${process.pid}`;
type Owner = Awaited<ReturnType<typeof registerCaller>>;

async function failedJob({ tenantId }: Pick<Owner, "tenantId">): Promise<string> {
  const jobId = newId();
  const failed = { payload: {}, headers: {}, reason: "attempts_exhausted", error: CAUSE, attempts: 5 };
  await buryJob({ queue: job, jobId, tenantId, ...failed });
  return jobId;
}
async function failedEvent({ tenantId }: Pick<Owner, "tenantId">): Promise<void> {
  await systemQuery(
    "test",
    `insert into events.dead_letter (id, tenant_id, consumer, event_id, aggregate_type, aggregate_id, type, version, payload, occurred_at, reason, error, attempts, dead_at)
     values (gen_random_uuid(), $2, $1, gen_random_uuid(), 'user', '1', 'auth.user.registered', 1, '{}', now(), 'attempts_exhausted', $3, 8, now())`,
    [job, tenantId, CAUSE],
  );
}
const told = async ({ tenantId }: Pick<Owner, "tenantId">): Promise<unknown[]> => {
  const { rows } = await entryList({ tenantId }, undefined, 50, undefined);
  return rows
    .filter(({ actor }) => actor === `operator:${staff.authData.userID}`)
    .map(({ action, fields }) => [
      action,
      (fields as { what?: string }).what ?? (fields as { letters?: number }).letters,
    ]);
};
const refusal = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => "nothing",
    (error: { details?: { reason?: string } }) => error.details?.reason,
  );

describe.each([
  ["jobs", failedJob, "queues.dead_letters", "queues.dead_letter"],
  ["events", failedEvent, "events.dead_letters", "events.dead_letter"],
] as const)("dead letters of %s", (kind, fail, what, noun) => {
  test("are found by whose they are, with what went wrong, redriven and discarded; and the organisation reads all of it", async () => {
    const [owner, other] = [await registerCaller(), await registerCaller()];
    await fail(owner);
    await fail(owner);
    await fail(other);
    const { groups } = await app.letterGroups({ kind, reason: REASON }, staff);
    const ofOwner = groups.filter(({ organisationId }) => organisationId === owner.tenantId);
    expect(ofOwner).toEqual([
      expect.objectContaining({
        source: job,
        cause: "attempts_exhausted",
        count: 2,
        newestAt: expect.any(String) as string,
      }),
    ]);
    const look = { id: owner.tenantId, kind, reason: REASON };
    const { deadLetters } = await app.organisationLetters({ ...look, source: job }, staff);
    expect(deadLetters).toHaveLength(2);
    expect(deadLetters[0]).toMatchObject({ source: job, internalError: CAUSE, error: "every attempt failed" });
    expect((await app.organisationLetters({ ...look, source: "another" }, staff)).deadLetters).toEqual([]);
    const page = await app.organisationLetters({ ...look, limit: 1 }, staff);
    const rest = await app.organisationLetters({ ...look, limit: 1, cursor: page.next }, staff);
    expect([page, rest].flatMap(({ deadLetters: some }) => some.map(({ id }) => id))).toEqual(
      deadLetters.map(({ id }) => id),
    );
    const ids = [deadLetters[0]?.id ?? ""];
    expect(await app.redriveOrganisationLetters({ ...look, filter: { ids } }, staff)).toEqual({
      count: 1,
      more: false,
    });
    expect(await app.discardOrganisationLetters({ ...look, filter: { source: job } }, staff)).toEqual({
      count: 1,
      more: false,
    });
    expect((await app.organisationLetters(look, staff)).deadLetters).toEqual([]);
    const looked = ["operator.organisation.looked", what];
    expect(await told(owner)).toEqual([
      looked,
      looked,
      [`${noun}.discarded`, 1],
      looked,
      [`${noun}.redriven`, 1],
      ...Array<unknown>(5).fill(looked),
    ]);
    expect(await told(other)).toEqual([looked]);
    const [sent] = await systemQuery<{ n: number }>(
      "test",
      "select count(*)::int as n from events.outbox where tenant_id = $1 and (type = $2 or headers::text like '%' || $2 || '%')",
      [owner.tenantId, job],
    );
    expect(sent).toEqual({ n: 1 });
  });

  test("of another organisation are touched by no id, and the organisation itself reads nothing internal", async () => {
    const [owner, other] = [await registerCaller(), await registerCaller()];
    await fail(other);
    const { deadLetters } = await app.organisationLetters({ id: other.tenantId, kind, reason: REASON }, staff);
    const foreign = { id: owner.tenantId, kind, reason: REASON, filter: { ids: [deadLetters[0]?.id ?? ""] } };
    expect(await app.redriveOrganisationLetters(foreign, staff)).toEqual({ count: 0, more: false });
    expect(await app.discardOrganisationLetters(foreign, staff)).toEqual({ count: 0, more: false });
    const own = kind === "jobs" ? await queues.listDeadLetters({}, other) : await events.listDeadLetters({}, other);
    expect(JSON.stringify(own)).toContain("every attempt failed");
    expect(JSON.stringify(own)).not.toContain("embedder");
  });
});

test("without a reason, of an organisation that is none, of another kind, or without a filter nothing is looked at nor done", async () => {
  const owner = await registerCaller();
  const look = { id: owner.tenantId, kind: "jobs", reason: REASON };
  expect(await refusal(app.letterGroups({ kind: "jobs" }, staff))).toBe("invalid_request");
  expect(await refusal(app.organisationLetters({ ...look, reason: "why" }, staff))).toBe("invalid_request");
  for (const id of [newId(), "none"])
    expect(await refusal(app.organisationLetters({ ...look, id }, staff))).toBe("console_organisation_not_found");
  for (const kind of ["mails", "constructor", "__proto__"])
    expect(await refusal(app.organisationLetters({ ...look, kind }, staff))).toBe("console_kind_unknown");
  expect(await refusal(app.discardOrganisationLetters({ ...look, filter: {} }, staff))).toBe("invalid_request");
  expect(await told(owner)).toEqual([]);
});

test("are for staff who hold the permission, and for nobody else", async () => {
  const owner = await registerCaller();
  const look = { id: owner.tenantId, kind: "jobs", reason: REASON };
  const filter = { source: job };
  const reader = { authData: { ...staff.authData, scope: "operator.dead_letter.read" } };
  for (const act of [app.redriveOrganisationLetters, app.discardOrganisationLetters])
    await expect(act({ ...look, filter }, reader)).rejects.toMatchObject({ code: "permission_denied" });
  for (const who of [owner, createCaller("owner", owner)])
    await expect(app.organisationLetters(look, who)).rejects.toMatchObject({ code: "permission_denied" });
});
