// A consumer has a bug, its events become dead letters, the bug is fixed, one filter sends them again: how many of
// them is for the suite to say. The transport here delivers again after each failure, and what was redriven twice at once.
import { newId } from "../../db/ids";
import { systemQuery, withTenant, type Tx } from "../../db/tenant";
import { tenantIdFrom, type TenantId } from "../../security/principal";
import { consumer } from "../consumer";
import { redriveEvents, type DeadLetterFilter } from "../dead-letters";
import { registerDestination } from "../destinations";
import { appendToOutbox } from "../outbox";
import { createRelay } from "../relay";
import { REDRIVE_OF, type DomainEvent } from "../topic";
import type { OutboxRow } from "../store/outbox";

export interface RedriveReport {
  /** Dead letters when all attempts were over. */
  dead: number;
  /** Open dead letters after the redrive. */
  open: number;
  redriven: number;
  /** Events whose effect happened once, and those where it happened another number of times. */
  once: number;
  otherwise: number;
}

/** How the relay's row looks as a message: as destinations.ts makes it. */
export const messageOf = (row: OutboxRow): DomainEvent => ({
  ...row,
  id: row.headers[REDRIVE_OF] ?? row.id,
  occurredAt: row.occurredAt.toISOString(),
});

/** Gives what is published for the tenant to `deliver`; others' rows in a shared database are none of its business. */
export function deliverTo(tenantId: TenantId, deliver: (message: DomainEvent) => Promise<void>): void {
  registerDestination("event", {
    batchSize: 1,
    publish: async ([row]) => {
      if (row?.tenantId === tenantId) await deliver(messageOf(row));
    },
  });
}

export async function relayAll(): Promise<void> {
  const relay = createRelay({ destinations: ["event"] });
  while ((await relay.runOnce()) > 0);
}

/** As a transport does: again until it is acknowledged. */
async function untilAcknowledged(handle: (message: DomainEvent) => Promise<void>, message: DomainEvent): Promise<void> {
  for (;;) {
    const outcome = await handle(message).then(
      () => true,
      () => false,
    );
    if (outcome) return;
  }
}

async function redriveAll(tenantId: TenantId, filter: DeadLetterFilter): Promise<number> {
  let redriven = 0;
  for (let isMore = true; isMore;) {
    const handled = await withTenant({ tenantId }, (tx) => redriveEvents(tx, { tenantId, filter }));
    redriven += handled.count;
    isMore = handled.isMore;
  }
  return redriven;
}

export async function redriveAfterFix(events: number): Promise<RedriveReport> {
  const tenantId = tenantIdFrom(newId());
  const name = `fixed-${newId()}`;
  let isFixed = false;
  const act = async (tx: Tx, event: { id: string }): Promise<void> => {
    const effect = "insert into queues.tenant_turn (tenant_id, queue, finish_tag) values ($1, $2, 1)";
    await tx.execute(effect, [tenantId, `${name} ${event.id} ${newId()}`]);
    if (!isFixed) throw new Error("the bug");
  };
  const handle = consumer(name, { "auth.user.registered@1": act }, { maxAttempts: 2 });
  deliverTo(tenantId, async (message) => {
    const deliveries = Array.from({ length: isFixed ? 2 : 1 }, () => untilAcknowledged(handle, message));
    await Promise.all(deliveries);
  });
  await withTenant({ tenantId }, async (tx) => {
    for (let n = 0; n < events; n++) await appendToOutbox(tx, registered(tenantId, `user-${n % 50}`));
  });
  await relayAll();
  const countOpen = async (): Promise<number> =>
    count("select count(*) as n from events.dead_letter where consumer = $1 and redriven_at is null", name);
  const dead = await countOpen();

  isFixed = true;
  const filter = { source: name, reason: "attempts_exhausted", until: new Date(Date.now() + 3_600_000) };
  const calls = await Promise.all([redriveAll(tenantId, filter), redriveAll(tenantId, filter)]);
  await relayAll();
  const perEvent = (having: string): Promise<number> =>
    count(
      `select count(*) as n from (select split_part(queue, ' ', 2) from queues.tenant_turn
        where split_part(queue, ' ', 1) = $1 group by 1 having ${having}) event`,
      name,
    );
  return {
    dead,
    open: await countOpen(),
    redriven: calls.reduce((sum, call) => sum + call, 0),
    once: await perEvent("count(*) = 1"),
    otherwise: await perEvent("count(*) <> 1"),
  };
}

export const registered = (tenantId: TenantId, aggregateId: string) => ({
  id: newId(),
  destination: "event",
  tenantId,
  aggregateType: "user",
  aggregateId,
  type: "auth.user.registered",
  version: 1,
  payload: { userId: newId(), organisationId: newId(), organisationName: "Acme" },
  headers: {},
});

async function count(statement: string, ...params: unknown[]): Promise<number> {
  const [row] = await systemQuery<{ n: number }>("test", statement, params);
  return row?.n ?? NaN;
}
