// An organisation with endpoints, and its attempts one by one: as a worker would run them, but when a test says so, whatever they wait for.
import { webhooks } from "~encore/clients";
import { newId } from "../../../db/ids";
import { systemQuery, withTenant } from "../../../db/tenant";
import type { TenantId } from "../../../security/principal";
import { registerCaller, type RegisteredCaller } from "../../../testing";
import { deliverJob } from "../attempt-job";
import { attemptDelivery, type AttemptOutcome } from "../delivery";
import { sendEvent } from "../outgoing";

export type Endpoint = Awaited<ReturnType<typeof webhooks.createEndpoint>>;

export const createOrganisation = (): Promise<RegisteredCaller> => registerCaller();

export const createEndpoint = (
  owner: RegisteredCaller,
  url: string,
  rest: Partial<Parameters<typeof webhooks.createEndpoint>[0]> = {},
): Promise<Endpoint> => webhooks.createEndpoint({ url, ...rest }, owner);

/** What a consumer does with an event. Resolves with its id. */
export async function send(
  tenantId: TenantId,
  { type = "assets.asset.uploaded", aggregateId = newId(), data = {} } = {},
): Promise<string> {
  const id = newId();
  const about = { aggregateType: "asset", aggregateId, occurredAt: new Date(), actor: "system", correlationId: id };
  await withTenant({ tenantId }, (tx) => sendEvent(tx, { id, tenantId, type, version: 1, payload: data, ...about }));
  return id;
}

const nobody = new AbortController().signal;

/** Runs the attempts that are asked for by now, in their order; resolves with what became of each. */
export async function runAttempts(tenantId: TenantId, random = 0.5): Promise<AttemptOutcome[]> {
  const jobs = await systemQuery<{ payload: unknown }>(
    "test",
    `with taken as (
       update events.outbox set published_at = now() where destination = 'job' and type = $1 and tenant_id = $2 and published_at is null
       returning id, payload, position)
     select payload from taken order by position`,
    [deliverJob.name, tenantId],
  );
  const outcomes: AttemptOutcome[] = [];
  for (const { payload } of jobs)
    outcomes.push(await attemptDelivery(tenantId, deliverJob.payload.parse(payload), nobody, () => random));
  return outcomes;
}

/** In seconds from when they were asked for, the soonest first. */
export async function waits(tenantId: TenantId): Promise<number[]> {
  const rows = await systemQuery<{ seconds: number }>(
    "test",
    `select round(extract(epoch from next_attempt_at - created_at))::int as seconds from events.outbox
      where destination = 'job' and type = $1 and tenant_id = $2 and published_at is null order by 1`,
    [deliverJob.name, tenantId],
  );
  return rows.map(({ seconds }) => seconds);
}

export const states = async (tenantId: TenantId): Promise<string[]> =>
  (
    await systemQuery<{ state: string }>(
      "test",
      "select state from webhooks.delivery where tenant_id = $1 order by position",
      [tenantId],
    )
  ).map(({ state }) => state);
