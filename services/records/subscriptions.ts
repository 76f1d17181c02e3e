// What records do when events arrive.
import { Subscription } from "encore.dev/pubsub";
import { consumer, ofPlatform } from "../../events/consumer";
import { domainEvents } from "../../events/topic";
import { enqueue } from "../../queues/enqueue";
import { countTransaction } from "./budgets";
import { purgeJob } from "./jobs";
import { orderSaga } from "./order-saga";
import { endOrder } from "./order-steps";

/** What was under way when the organisation went has ended by then, and what it left goes too. */
const AGAIN_AFTER_MS = 3_600_000;

/** The job, not the event, has the time that a large organisation needs. */
const purgeTenants = consumer("records-purge", {
  "auth.organisation.deleted@1": ofPlatform(async (tx, { payload: { organisationId } }) => {
    await enqueue(tx, purgeJob, { organisationId }, { tenantId: null });
    await enqueue(tx, purgeJob, { organisationId }, { tenantId: null, delayMs: AGAIN_AFTER_MS });
  }),
});

export const purge = new Subscription(domainEvents, "records-purge", { handler: purgeTenants, maxConcurrency: 1 });

/** What is undone, or never began, is told by its saga alone. */
const endOrders = consumer("records-orders", {
  "sagas.saga.compensated@1": async (tx, { payload: { sagaId, name, reason } }) => {
    if (tx.tenantId !== null && name === orderSaga.name) await endOrder(tx, tx.tenantId, sagaId, reason);
  },
});

const countBudgets = consumer("records-budgets", {
  "records.transaction.posted@1": async (tx, { payload: { transactionId } }) => {
    if (tx.tenantId !== null) await countTransaction(tx, tx.tenantId, transactionId);
  },
});

export const budgets = new Subscription(domainEvents, "records-budgets", { handler: countBudgets, maxConcurrency: 4 });

export const orders = new Subscription(domainEvents, "records-orders", { handler: endOrders, maxConcurrency: 1 });
