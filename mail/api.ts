// The development mailbox: as a page for people, as JSON for tests. In production it does not exist.
import { currentRequest } from "encore.dev";
import { api, type Query } from "encore.dev/api";
import { CronJob } from "encore.dev/cron";
import type { Max, MaxLen, Min } from "encore.dev/validate";
import type { IncomingMessage, ServerResponse } from "node:http";
import { cfg } from "../config";
import { parseCursor } from "../db/cursor";
import { isUuid } from "../db/ids";
import type { Headers } from "../security/client-ip";
import { nearDoor } from "../security/near-door";
import { errors } from "./errors";
import { hasMailbox } from "./mailer";
import { comparableAddress } from "./message";
import { mailboxPage, mailboxPageHeaders } from "./page";
import { messageFind, messageList } from "./store";
import { purgeMailbox } from "./upkeep";

const MESSAGES_PER_PAGE = 50;
/** The mails sign people in. The app itself names no hop. */
const isNear = nearDoor({ allow: cfg.metrics.allow, isOpenToUnnamed: true });

interface ListMessagesRequest {
  /** Only mails to this address, in any case of letters. */
  to?: Query<string & MaxLen<254>>;
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `next` of the page before. */
  cursor?: Query<string>;
}

interface ListedMailboxMessage {
  id: string;
  to: string;
  subject: string;
  /** Its first 2,000 characters. */
  text: string;
  /** True when there is more of it: `GET /mail/messages/:id` has the whole. */
  cut: boolean;
  /** ISO 8601. */
  sentAt: string;
}

interface ListMessagesResponse {
  messages: ListedMailboxMessage[];
  /** Absent on the last page. */
  next?: string;
}

/** The mails that would have been sent, newest first. In development only. */
export const listMessages = api(
  {
    expose: true,
    method: "GET",
    path: "/mail/messages",
    tags: ["public:in development this is the mailbox of the machine", "development"],
  },
  async (req: ListMessagesRequest): Promise<ListMessagesResponse> => {
    requireMailbox(callerHeaders());
    const recipient = req.to === undefined ? null : comparableAddress(req.to);
    const limit = Math.floor(req.limit ?? MESSAGES_PER_PAGE);
    const { rows, next } = await messageList(recipient, limit, parseCursor(req.cursor));
    const messages = rows.map(({ id, recipient: to, subject, text, isCut: cut, sentAt }) => {
      return { id, to, subject, text, cut, sentAt: sentAt.toISOString() };
    });
    return { messages, ...(next === undefined ? {} : { next }) };
  },
);

interface MessageRequest {
  id: string;
}

interface MailboxMessage {
  id: string;
  to: string;
  subject: string;
  text: string;
  html?: string;
  /** Of its List-Unsubscribe: a POST there ends mails of its kind. */
  unsubscribeUrl?: string;
  /** ISO 8601. */
  sentAt: string;
}

/** One of these mails as it was sent. In development only. */
export const getMessage = api(
  {
    expose: true,
    method: "GET",
    path: "/mail/messages/:id",
    tags: ["public:in development this is the mailbox of the machine", "development"],
  },
  async (req: MessageRequest): Promise<MailboxMessage> => {
    requireMailbox(callerHeaders());
    const found = isUuid(req.id) ? await messageFind(req.id) : undefined;
    if (found === undefined) throw errors.message_not_found();
    const { id, recipient: to, subject, text, html, unsubscribeUrl, sentAt } = found;
    return {
      ...{ id, to, subject, text },
      ...(html === null ? {} : { html }),
      ...(unsubscribeUrl === null ? {} : { unsubscribeUrl }),
      sentAt: sentAt.toISOString(),
    };
  },
);

/** The same for people. */
export const mailbox = api.raw(
  {
    expose: true,
    method: "GET",
    path: "/mail",
    tags: ["public:in development this is the mailbox of the machine", "development"],
  },
  (req, resp) => sendMailbox(req, resp),
);

async function sendMailbox(req: IncomingMessage, resp: ServerResponse): Promise<void> {
  requireMailbox(req.headers);
  const cursor = new URL(req.url ?? "/", "http://mailbox").searchParams.get("cursor") ?? undefined;
  const { rows, next } = await messageList(null, MESSAGES_PER_PAGE, parseCursor(cursor));
  for (const [name, value] of Object.entries(mailboxPageHeaders)) resp.setHeader(name, value);
  resp.statusCode = 200;
  resp.end(mailboxPage(rows, next));
}

function callerHeaders(): Headers {
  const request = currentRequest();
  return request?.type === "api-call" ? request.headers : {};
}

function requireMailbox(headers: Headers): void {
  if (!hasMailbox() || !isNear(headers)) throw errors.mailbox_not_found();
}

export const maintain = api({ expose: false, method: "POST", path: "/mail/maintain" }, async (): Promise<void> => {
  await purgeMailbox(new Date());
});

export const maintainDaily = new CronJob("mail-maintain", {
  title: "Delete mails of the development mailbox after a week",
  every: "24h",
  endpoint: maintain,
});
