// Deciding about people in batches: each batch is one transaction, in which nobody else decides about the same people or counts
// their day. What a kill interrupts is decided again; what was decided stays.
import { idFromParts, newId } from "../../db/ids";
import { withTenant, type TenantScope, type Tx } from "../../db/tenant";
import { enqueue } from "../../queues/enqueue";
import type { JobDefinition } from "../../queues/job";
import { CONTACTS_MAX, contactsOf } from "./contacts";
import { dayOf, decide, type Decision, type DecisionInput, type Disturbing } from "./decision";
import { destinationsOf } from "./destinations";
import { inTurns } from "./in-turns";
import { digestJob, emailJob, pushJob, releaseJob } from "./job-definitions";
import { SUBSCRIPTIONS_MAX } from "./limits";
import { NO_POLICY, NO_PREFERENCES } from "./settings";
import { deliveryDeleteHeld, deliveryInsert, type NewDelivery } from "./store/deliveries";
import { digestOpen, type OpenDigest } from "./store/digests";
import { headAdvance } from "./store/inbox";
import {
  dailyCountAdd,
  dailyCountLock,
  notificationFind,
  recipientListPending,
  recipientLock,
  recipientUpdate,
} from "./store/notifications";
import { subscriptionListOf } from "./store/push";
import { settingsList } from "./store/settings";

/** Decides about all who wait for it. */
export async function fanOut(scope: TenantScope, notificationId: string, signal?: AbortSignal): Promise<void> {
  for (;;) {
    signal?.throwIfAborted();
    const userIds = await recipientListPending(scope, notificationId, CONTACTS_MAX);
    if (userIds.length === 0) return;
    await decideAbout(scope, notificationId, userIds);
  }
}

interface Person {
  userId: string;
  /** Whether the inbox has it already. */
  isShown: boolean;
  input: DecisionInput;
  /** Undefined for who is no member any more. */
  decision: Decision | undefined;
}

/** Decides about these people, at most CONTACTS_MAX; about whom it was decided already, nothing changes. */
export async function decideAbout(
  scope: TenantScope,
  notificationId: string,
  userIds: readonly string[],
): Promise<void> {
  const { tenantId } = scope;
  const contacts = await contactsOf(scope, userIds);
  await withTenant(scope, async (tx) => {
    const locked = await recipientLock(tx, tenantId, notificationId, userIds);
    const ids = locked.map(({ userId }) => userId);
    const notification = await notificationFind(tx, tenantId, notificationId);
    if (notification === undefined || locked.length === 0) return;
    const { category, nowMs } = notification;
    const { policy = NO_POLICY, preferences } = await settingsList(tx, tenantId, ids);
    const browsers = await subscriptionListOf(tx, tenantId, ids, SUBSCRIPTIONS_MAX);
    const people = await inTurns(locked, ({ userId, isShown, isDue }): Person => {
      const contact = contacts.get(userId);
      const input = {
        ...{ category, policy, nowMs, isDue, countOfDay: 0 },
        preferences: preferences.get(userId) ?? NO_PREFERENCES,
        destinations: destinationsOf(contact ?? {}, browsers.get(userId) ?? []),
      };
      return { userId, isShown, input, decision: contact && decide(input) };
    });
    await withinDailyLimits(tx, tenantId, people);
    await writeDown(tx, tenantId, notificationId, people);
  });
}

/** Decides again about those who would be reached, by what was counted; counts those who are. */
async function withinDailyLimits(tx: Tx, tenantId: string, people: Person[]): Promise<void> {
  const reached = people.filter(({ decision }) => decision?.counts);
  const [first] = reached;
  if (first === undefined) return;
  const { category } = first.input;
  const dayOfOne = ({ userId, input }: Person): { userId: string; day: string } => ({
    userId,
    day: dayOf(input.policy, input.preferences, input.nowMs),
  });
  const days = await inTurns(reached, dayOfOne);
  const counts = await dailyCountLock(tx, tenantId, category, days);
  await inTurns(reached, (person) => {
    person.decision = decide({ ...person.input, countOfDay: counts.get(person.userId) ?? 0 });
  });
  const counted = reached.filter(({ decision }) => decision?.counts);
  if (counted.length > 0) dailyCountAdd(tx, tenantId, category, counted.map(dayOfOne));
}

async function writeDown(tx: Tx, tenantId: string, notificationId: string, people: readonly Person[]): Promise<void> {
  const idOf = (userId: string, channel: string, destination: string): string =>
    idFromParts("notification-delivery", tenantId, notificationId, userId, channel, destination);
  const digests = await gather(tx, tenantId, people);
  const deliveries = people.flatMap(({ userId, decision }) =>
    deliveriesOf(userId, decision, digests).map((one) => ({ ...one, id: idOf(userId, one.channel, one.destination) })),
  );
  deliveryDeleteHeld(
    tx,
    tenantId,
    notificationId,
    people.map(({ userId }) => userId),
  );
  deliveryInsert(tx, tenantId, notificationId, deliveries);
  // Last of all locks: from here on those whose inboxes grow wait for the end of this transaction.
  const added = people
    .filter(({ isShown, decision }) => !isShown && decision?.inApp === true)
    .map(({ userId }) => userId);
  const numbers = added.length === 0 ? undefined : await headAdvance(tx, tenantId, added);
  recipientUpdate(
    tx,
    tenantId,
    notificationId,
    people.map(({ userId, isShown, decision }) => ({
      userId,
      state: decision?.heldUntilMs === undefined ? "decided" : "held",
      isShown: isShown || (decision?.inApp ?? false),
      seq: numbers?.get(userId) ?? null,
    })),
  );
  for (const { id, channel, state } of deliveries)
    if (state === "queued" && channel !== "in_app")
      await enqueue(tx, jobOf[channel], { deliveryId: id }, { dedupeKey: id });
  await release(tx, notificationId, people);
}

const jobOf: Readonly<Record<Disturbing, JobDefinition<{ deliveryId: string }>>> = {
  email: emailJob,
  push: pushJob,
  sms: emailJob,
};

type OpenDigests = ReadonlyMap<string, OpenDigest>;
const digestKey = (userId: string, destination: string): string => `${userId} ${destination}`;

/** The digests that mails of these people are gathered in; one that is begun here has its job. */
async function gather(tx: Tx, tenantId: string, people: readonly Person[]): Promise<OpenDigests> {
  const wanted = people.flatMap(({ userId, input, decision }) =>
    (decision?.heldUntilMs === undefined ? (decision?.channels ?? []) : []).flatMap((decided) => {
      if (decided.outcome !== "deliver" || decided.digestMinutes === undefined) return [];
      const dueAt = new Date(input.nowMs + decided.digestMinutes * 60_000);
      return decided.to.map((destination) => ({ id: newId(), userId, destination, dueAt }));
    }),
  );
  const { category = "", nowMs = 0 } = people[0]?.input ?? {};
  if (wanted.length === 0) return new Map();
  const open = await digestOpen(tx, tenantId, category, wanted);
  for (const { id, userId, destination, dueAt, isNew } of open) {
    const delayMs = Math.max(0, dueAt.getTime() - nowMs);
    if (isNew) await enqueue(tx, digestJob, { digestId: id, userId, category, destination }, { delayMs });
  }
  return new Map(open.map((one) => [digestKey(one.userId, one.destination), one]));
}

function deliveriesOf(userId: string, decision: Decision | undefined, digests: OpenDigests): Omit<NewDelivery, "id">[] {
  const one = (fields: Pick<NewDelivery, "channel" | "state"> & Partial<NewDelivery>): Omit<NewDelivery, "id"> => ({
    ...{ userId, destination: "", reason: null, heldUntil: null, digestId: null },
    ...fields,
  });
  if (decision === undefined) return [one({ channel: "in_app", state: "withheld", reason: "no_member" })];
  const { inApp, channels, heldUntilMs } = decision;
  const shown = inApp
    ? one({ channel: "in_app", state: "delivered" })
    : one({ channel: "in_app", state: "withheld", reason: "category_off" });
  const rest = channels.flatMap((decided): Omit<NewDelivery, "id">[] => {
    const { channel } = decided;
    switch (decided.outcome) {
      case "deliver":
        return decided.to.map((destination) => {
          const digest = decided.digestMinutes === undefined ? undefined : digests.get(digestKey(userId, destination));
          if (digest === undefined) return one({ channel, destination, state: "queued" });
          const { id: digestId, dueAt: heldUntil } = digest;
          return one({ channel, destination, state: "held", reason: "digest", heldUntil, digestId });
        });
      case "held":
        return [one({ channel, state: "held", reason: "quiet_hours", heldUntil: new Date(heldUntilMs ?? 0) })];
      case "withheld":
        return [one({ channel, state: "withheld", reason: decided.reason })];
    }
  });
  return [shown, ...rest];
}

/** Those whose quiet hours end at one moment are decided about together. */
async function release(tx: Tx, notificationId: string, people: readonly Person[]): Promise<void> {
  const byDelay = new Map<number, string[]>();
  for (const { userId, input, decision } of people) {
    if (decision?.heldUntilMs === undefined) continue;
    const delayMs = decision.heldUntilMs - input.nowMs;
    byDelay.set(delayMs, [...(byDelay.get(delayMs) ?? []), userId]);
  }
  for (const [delayMs, userIds] of byDelay) await enqueue(tx, releaseJob, { notificationId, userIds }, { delayMs });
}
