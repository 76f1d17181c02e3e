// Statements on mail.message, the development mailbox. Its rows belong to no tenant: they are addressed to people.
import { beforeCursor, cursorMicros, cursorParams, pageOf, type Cursor, type CursorRow, type Page } from "../db/cursor";
import { systemQuery, type Tx } from "../db/tenant";
import { comparableAddress, type Mail } from "./message";

export interface MessageRow extends CursorRow {
  recipient: string;
  subject: string;
  text: string;
  html: string | null;
  sentAt: Date;
}

/** Stores the mail, once for each id. */
export async function messageAdd({ id, to, subject, text, html = undefined }: Mail): Promise<void> {
  await systemQuery(
    "mailbox-add",
    `insert into mail.message (id, recipient, subject, text, html) values ($1, $2, $3, $4, $5) on conflict (id) do nothing`,
    [id, comparableAddress(to), subject, text, html ?? null],
  );
}

/** The mails to `recipient` (null: to everybody), the newest first. */
export async function messageList(
  recipient: string | null,
  limit: number,
  cursor: Cursor | undefined,
): Promise<Page<MessageRow>> {
  const rows = await systemQuery<MessageRow>(
    "mailbox-list",
    `select id, recipient, subject, text, html, sent_at as "sentAt", ${cursorMicros("sent_at")} as "cursorMicros"
       from mail.message
      where ${recipient === null ? "$1::text is null" : "recipient = $1"} and ${beforeCursor("sent_at", "id", 2)}
      order by sent_at desc, id desc limit $4`,
    [recipient, ...cursorParams(cursor), limit + 1],
  );
  return pageOf(rows, limit);
}

/** Deletes mails sent before `before`, at most `limit`; resolves with their number. */
export function messagePurge(tx: Tx, before: Date, limit: number): Promise<number> {
  return tx.execute(
    `delete from mail.message where id in
       (select id from mail.message where sent_at < $1 order by sent_at limit $2 for update skip locked)`,
    [before, limit],
  );
}
