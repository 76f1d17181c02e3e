// Statements on mail.message, the development mailbox. Its rows belong to no tenant: they are addressed to people.
import { beforeCursor, cursorMicros, cursorParams, pageOf, type Cursor, type CursorRow, type Page } from "../db/cursor";
import { systemQuery, type Tx } from "../db/tenant";
import { comparableAddress, type Mail } from "./message";

export interface MessageRow {
  id: string;
  recipient: string;
  subject: string;
  text: string;
  html: string | null;
  unsubscribeUrl: string | null;
  sentAt: Date;
}

/** What a list shows: the beginning of each text, so that a page of the longest mails is small. */
export interface ListedMessage extends Omit<MessageRow, "html" | "unsubscribeUrl">, CursorRow {
  isCut: boolean;
}

export const LISTED_TEXT_CHARS = 2_000;

/** Stores the mail, once for each id. */
export async function messageAdd({ id, to, subject, text, html, unsubscribeUrl }: Mail): Promise<void> {
  await systemQuery(
    "mailbox-add",
    `insert into mail.message (id, recipient, subject, text, html, unsubscribe_url) values ($1, $2, $3, $4, $5, $6)
     on conflict (id) do nothing`,
    [id, comparableAddress(to), subject, text, html ?? null, unsubscribeUrl ?? null],
  );
}

/** The mails to `recipient` (null: to everybody), the newest first. */
export async function messageList(
  recipient: string | null,
  limit: number,
  cursor: Cursor | undefined,
): Promise<Page<ListedMessage>> {
  const rows = await systemQuery<ListedMessage>(
    "mailbox-list",
    `select id, recipient, subject, left(text, ${LISTED_TEXT_CHARS}) as text, length(text) > ${LISTED_TEXT_CHARS} or html is not null as "isCut",
            sent_at as "sentAt", ${cursorMicros("sent_at")} as "cursorMicros"
       from mail.message
      where ${recipient === null ? "$1::text is null" : "recipient = $1"} and ${beforeCursor("sent_at", "id", 2)}
      order by sent_at desc, id desc limit $4`,
    [recipient, ...cursorParams(cursor), limit + 1],
  );
  return pageOf(rows, limit);
}

/** One mail as it was sent. */
export async function messageFind(id: string): Promise<MessageRow | undefined> {
  const rows = await systemQuery<MessageRow>(
    "mailbox-find",
    `select id, recipient, subject, text, html, unsubscribe_url as "unsubscribeUrl", sent_at as "sentAt" from mail.message where id = $1`,
    [id],
  );
  return rows[0];
}

/** Deletes mails sent before `before`, at most `limit`; resolves with their number. */
export function messagePurge(tx: Tx, before: Date, limit: number): Promise<number> {
  return tx.execute(
    `delete from mail.message where id in
       (select id from mail.message where sent_at < $1 order by sent_at limit $2 for update skip locked)`,
    [before, limit],
  );
}

/** Deletes the mails to these addresses. */
export async function messageDeleteTo(tx: Tx, recipients: readonly string[]): Promise<void> {
  await tx.execute(`delete from mail.message where recipient = any($1::text[])`, [recipients.map(comparableAddress)]);
}
