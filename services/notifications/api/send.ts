// Sending, and what became of it.
import { api, type Query } from "encore.dev/api";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { z } from "zod";
import { parseCursor } from "../../../db/cursor";
import { isUuid } from "../../../db/ids";
import { isBounded } from "../../../security/bounded-json";
import { charging } from "../../../security/charges";
import { parseInput } from "../../../security/input";
import { declareOwner } from "../../../security/ownership";
import { can } from "../../../security/permissions";
import { currentPrincipal } from "../../../security/principal";
import { contentSchema } from "../content";
import { CONTACTS_MAX } from "../contacts";
import { errors } from "../errors";
import { sendNotification, TOPIC } from "../sending";
import { categoryName } from "../settings";
import { shownCounts, shownReceipt } from "../shown-receipt";
import { notificationSender } from "../store/notifications";
import { receiptCounts, receiptList } from "../store/deliveries";

interface NotificationContent {
  /** The subject of a mail, the title elsewhere. */
  title: string & MinLen<1> & MaxLen<150>;
  /** Plain text; an empty line begins a paragraph. */
  body: string & MinLen<1> & MaxLen<10000>;
  /** Where it leads: an https address, or a path of the app. */
  url?: string & MaxLen<2000>;
}

interface SendRequest {
  /** Ids of members, and topics as "topic:releases"; at most a hundred. */
  to: string[];
  /** What people's preferences are about: "billing.invoice". */
  category: string & MaxLen<64>;
  /** What it says; or a template that does. */
  content?: NotificationContent;
  /** The name of one: each reads it in their language. */
  template?: string & MaxLen<64>;
  /** The template's values. */
  data?: Record<string, unknown>;
  /** The same sender's same key is the same notification, for as long as it is kept. */
  dedupeKey?: string & MinLen<1> & MaxLen<200>;
}

interface SendResponse {
  /** GET /notifications/:id/receipts tells what becomes of it. */
  id: string;
}

const DATA_CHARS_MAX = 50_000;
const isRecipient = (to: string): boolean =>
  to.startsWith(TOPIC) ? categoryName.safeParse(to.slice(TOPIC.length)).success : isUuid(to);

const sendInput = z
  .object({
    to: z.array(z.string().refine(isRecipient, "is neither a user's id nor a topic")).min(1).max(CONTACTS_MAX),
    category: categoryName,
    content: contentSchema.optional(),
    template: categoryName.optional(),
    data: z
      .record(z.string(), z.unknown())
      .refine((data) => isBounded(data, 10, 2_000), "has too many levels or values")
      .refine((data) => JSON.stringify(data).length <= DATA_CHARS_MAX, "is too large")
      .optional(),
    dedupeKey: z
      .string()
      .min(1)
      .max(200)
      .regex(/^[!-~]+$/, "has other characters than printable ASCII")
      .optional(),
  })
  .refine(({ content, template }) => (content === undefined) !== (template === undefined), {
    path: ["content"],
    message: "is given together with a template, or neither is",
  });

/** A point for a person; a topic reaches many. */
const pointsOf = (to: readonly string[]): number =>
  [...new Set(to)].reduce((sum, one) => sum + (one.startsWith(TOPIC) ? 100 : 1), 0);

/** Notifies members, each in the ways that they prefer. */
export const send = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/notifications/send",
    tags: ["can:notification.send", "limit:notification", "idempotent"],
    bodyLimit: 524_288,
  },
  async (req: SendRequest): Promise<SendResponse> => {
    const sending = parseInput(sendInput, req);
    // The first is in what the call costs.
    const points = pointsOf(sending.to) - 1;
    return { id: await charging("notification", points, () => sendNotification(currentPrincipal(), sending)) };
  },
);

declareOwner("notification", {
  ownerOf: (principal, id) => (isUuid(id) ? notificationSender(principal, id) : Promise.resolve(undefined)),
  missing: () => errors.notification_not_found(),
});

interface ReceiptsRequest {
  id: string;
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `next` of the page before. */
  cursor?: Query<string>;
}

interface NotificationReceipt {
  id: string;
  userId: string;
  channel: "in_app" | "email" | "push" | "sms";
  /** Where it goes, where there is more than one place. */
  destination?: string;
  state: "held" | "queued" | "sent" | "delivered" | "opened" | "failed" | "withheld";
  /** Why it failed, is held or was withheld, in one lower_snake word. */
  reason?: string;
  /** ISO 8601. When what is held is decided about anew. */
  heldUntil?: string;
  createdAt: string;
  updatedAt: string;
}

interface ReceiptCount {
  channel: "in_app" | "email" | "push" | "sms";
  state: "held" | "queued" | "sent" | "delivered" | "opened" | "failed" | "withheld";
  count: number;
}

interface ReceiptsResponse {
  receipts: NotificationReceipt[];
  /** Of all of them. */
  counts: ReceiptCount[];
  /** Absent on the last page. */
  next?: string;
}

/** What became of a notification, for each person and channel, the newest first. */
export const listReceipts = api(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/notifications/:id/receipts",
    tags: ["can:notification.send", "owns:notification", "shows:notification.manage"],
  },
  async ({ id, limit, cursor }: ReceiptsRequest): Promise<ReceiptsResponse> => {
    const principal = currentPrincipal();
    const from = parseCursor(cursor);
    if (!isUuid(id) || (await notificationSender(principal, id)) === undefined) throw errors.notification_not_found();
    const isManager = can(principal, "notification.manage");
    const counts = shownCounts(await receiptCounts(principal, id), isManager);
    const { rows, next } = await receiptList(principal, id, Math.floor(limit ?? 50), from);
    const receipts = rows.map((row) => shownReceipt(row, isManager));
    return { receipts, counts, ...(next === undefined ? {} : { next }) };
  },
);
