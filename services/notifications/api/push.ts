// Browsers of who calls, that they let us wake (Push API).
import { api } from "encore.dev/api";
import type { MaxLen } from "encore.dev/validate";
import { isUuid } from "../../../db/ids";
import { currentPrincipal } from "../../../security/principal";
import { errors } from "../errors";
import { SUBSCRIPTIONS_MAX } from "../limits";
import { subscribePush } from "../push-subscriptions";
import { subscriptionDelete, subscriptionList } from "../store/push";
import { vapidKeys } from "../vapid";

interface PushKeyResponse {
  /** For `pushManager.subscribe({ userVisibleOnly: true, applicationServerKey })`. */
  publicKey: string;
}

/** The key that a page subscribes with. */
export const getPushKey = api(
  { expose: true, auth: true, method: "GET", path: "/notifications/push-key", tags: ["can:notification.read"] },
  async (): Promise<PushKeyResponse> => ({ publicKey: vapidKeys()[0]?.publicKey ?? "" }),
);

interface SubscriptionKeys {
  p256dh: string & MaxLen<200>;
  auth: string & MaxLen<200>;
}

interface SubscribeRequest {
  /** As `PushSubscription.toJSON()` has it. */
  endpoint: string & MaxLen<2000>;
  keys: SubscriptionKeys;
  /** The key of ours that it was made with, if it is not the present one. */
  applicationServerKey?: string & MaxLen<200>;
}

interface SubscribeResponse {
  id: string;
}

/** Lets us wake a browser; the same one again is the same subscription. Beyond twenty the oldest goes. */
export const subscribe = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/notifications/push-subscriptions",
    tags: ["can:notification.read"],
  },
  async (req: SubscribeRequest): Promise<SubscribeResponse> => ({ id: await subscribePush(currentPrincipal(), req) }),
);

interface PushSubscriptionOfMine {
  id: string;
  /** Whose push service it is. */
  service: string;
  /** ISO 8601. */
  createdAt: string;
}

interface SubscriptionsResponse {
  subscriptions: PushSubscriptionOfMine[];
}

/** Your browsers, the newest first: at most twenty, nobody has more. */
export const listSubscriptions = api(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/notifications/push-subscriptions",
    tags: ["can:notification.read"],
  },
  async (): Promise<SubscriptionsResponse> => {
    const principal = currentPrincipal();
    const rows = await subscriptionList(principal, principal.subjectId, SUBSCRIPTIONS_MAX);
    const subscriptions = rows.map(({ id, endpoint, createdAt }) => ({
      ...{ id, service: new URL(endpoint).host },
      createdAt: createdAt.toISOString(),
    }));
    return { subscriptions };
  },
);

/** A browser is not woken any more. */
export const unsubscribePush = api(
  {
    expose: true,
    auth: true,
    method: "DELETE",
    path: "/notifications/push-subscriptions/:id",
    tags: ["can:notification.read"],
  },
  async ({ id }: { id: string }): Promise<void> => {
    const principal = currentPrincipal();
    if (!isUuid(id) || !(await subscriptionDelete(principal, id, principal.subjectId)))
      throw errors.push_subscription_not_found();
  },
);
