// Topics: names under which many are notified by one call. Who is subscribed decides whoever manages notifications, because what is
// sent to a topic is for these people alone; each of them may leave.
import { api, type Query } from "encore.dev/api";
import type { Max, Min } from "encore.dev/validate";
import { z } from "zod";
import { parseCursor } from "../../../db/cursor";
import { isUuid } from "../../../db/ids";
import { withTenant } from "../../../db/tenant";
import { parseInput } from "../../../security/input";
import { currentPrincipal } from "../../../security/principal";
import { errors } from "../errors";
import { changeSubscribers } from "../topics";
import { categoryName } from "../settings";
import { subscriberList, subscriberRemove } from "../store/topics";
import { CONTACTS_MAX } from "../contacts";

interface ChangeSubscribersRequest {
  topic: string;
  /** Ids of members, at most a hundred. */
  add?: string[];
  remove?: string[];
}

const people = z.array(z.string().refine(isUuid, "is no user's id")).max(CONTACTS_MAX).default([]);
const changeInput = z.object({ topic: categoryName, add: people, remove: people });

/** Subscribes members to a topic, and ends others' subscriptions. */
export const putSubscribers = api(
  {
    expose: true,
    auth: true,
    method: "PUT",
    path: "/notifications/topics/:topic/subscribers",
    tags: ["can:notification.manage"],
  },
  async (req: ChangeSubscribersRequest): Promise<void> => {
    await changeSubscribers(currentPrincipal(), parseInput(changeInput, req));
  },
);

interface ListSubscribersRequest {
  topic: string;
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `next` of the page before. */
  cursor?: Query<string>;
}

interface TopicSubscriber {
  userId: string;
  /** ISO 8601. */
  since: string;
}

interface SubscribersResponse {
  subscribers: TopicSubscriber[];
  /** Absent on the last page. */
  next?: string;
}

/** Who is subscribed to a topic, the newest first. */
export const listSubscribers = api(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/notifications/topics/:topic/subscribers",
    tags: ["can:notification.manage"],
  },
  async ({ topic, limit, cursor }: ListSubscribersRequest): Promise<SubscribersResponse> => {
    if (!categoryName.safeParse(topic).success) throw errors.topic_not_found();
    const { rows, next } = await subscriberList(
      currentPrincipal(),
      topic,
      Math.floor(limit ?? 50),
      parseCursor(cursor),
    );
    // A topic is there for as long as somebody is subscribed.
    if (rows.length === 0 && cursor === undefined) throw errors.topic_not_found();
    const subscribers = rows.map(({ id, createdAt }) => ({ userId: id, since: createdAt.toISOString() }));
    return { subscribers, ...(next === undefined ? {} : { next }) };
  },
);

/** Ends your own subscription. */
export const leaveTopic = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/notifications/topics/:topic/leave",
    tags: ["can:notification.read"],
  },
  async ({ topic }: { topic: string }): Promise<void> => {
    const principal = currentPrincipal();
    const { tenantId, subjectId } = principal;
    const isName = categoryName.safeParse(topic).success;
    const ended = isName ? await withTenant(principal, (tx) => subscriberRemove(tx, tenantId, topic, [subjectId])) : 0;
    if (ended === 0) throw errors.topic_not_found();
  },
);
