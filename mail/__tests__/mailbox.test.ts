import { mail as mailClient } from "~encore/clients";
import { describe, expect, test } from "vitest";
import { type cfg } from "../../config";
import { newId } from "../../db/ids";
import { systemQuery } from "../../db/tenant";
import { hasMailbox, sendMail, transportFor } from "../mailer";
import type { Mail } from "../message";
import { mailboxPage, mailboxPageHeaders } from "../page";
import { createMailbox } from "../providers/mailbox";
import { messageList } from "../store";
import { purgeMailbox } from "../upkeep";
import { transportContract } from "./transport-contract";

const mailTo = (to: string, rest: Partial<Mail> = {}): Mail => ({ id: newId(), to, subject: "s", text: "t", ...rest });

describe("the mailbox", () => {
  transportContract(() => ({
    transport: createMailbox(),
    receivedBy: async (address) => {
      const { messages } = await mailClient.listMessages({ to: address });
      const whole = await Promise.all(messages.map(({ id }) => mailClient.getMessage({ id })));
      return whole.map(({ sentAt: _, ...mail }) => mail);
    },
  }));

  test("is found by an address in any case of letters, page by page, newest first", async () => {
    const name = newId();
    const subjects = ["1", "2", "3", "4", "5"];
    for (const subject of subjects) await sendMail(mailTo(`${name}@example.com`, { subject }));
    await sendMail(mailTo(`other-${name}@example.com`));
    const seen: string[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await mailClient.listMessages({
        to: ` ${name.toUpperCase()}@Example.com`,
        limit: 2,
        ...(cursor ? { cursor } : {}),
      });
      seen.push(...page.messages.map(({ subject }) => subject));
      if ((cursor = page.next) === undefined) break;
    }
    expect(seen).toEqual(subjects.reverse());
  });

  test("lists the longest mails as small pages, and shows each whole by its id", async () => {
    const to = `${newId()}@example.com`;
    const longest = { text: "<&é ".repeat(25_000), html: "h".repeat(200_000) };
    const ids = Array.from({ length: 10 }, () => newId());
    for (const id of ids) await sendMail(mailTo(to, { id, ...longest }));
    const page = await mailClient.listMessages({ to, limit: 100 });
    expect(page.messages.map(({ cut }) => cut)).toEqual(ids.map(() => true));
    expect(JSON.stringify(page).length).toBeLessThan(ids.length * 4_000);
    const { rows } = await messageList(to, 100, undefined);
    expect(mailboxPage(rows, undefined).length).toBeLessThan(ids.length * 10_000);
    expect(mailboxPage(rows, undefined)).toContain(`href="/mail/messages/${ids[0]}"`);
    expect(await mailClient.getMessage({ id: ids[0] ?? "" })).toMatchObject(longest);
    for (const id of [newId(), "x"])
      await expect(mailClient.getMessage({ id })).rejects.toMatchObject({ code: "not_found" });
  });

  test("refuses a cursor that cannot be read", async () => {
    await expect(mailClient.listMessages({ cursor: "x" })).rejects.toMatchObject({ code: "invalid_argument" });
  });

  test("forgets mails after a week, in batches", async () => {
    const to = `${newId()}@example.com`;
    const mails = Array.from({ length: 5 }, () => mailTo(to));
    for (const mail of mails) await sendMail(mail);
    await systemQuery(
      "test",
      "update mail.message set sent_at = now() - interval '8 days' where id = any($1::uuid[])",
      [mails.slice(0, 4).map(({ id }) => id)],
    );
    expect(await purgeMailbox(new Date(), { statementTimeoutMs: 5_000, totalMs: 10_000, batchMax: 3 })).toBe(4);
    expect((await messageList(to, 10, undefined)).rows.map(({ id }) => id)).toEqual([mails[4]?.id]);
  });
});

describe("who sends a mail", () => {
  const configured = (env: typeof cfg.env, mail: typeof cfg.mail): boolean => transportFor({ env, mail }) !== undefined;

  test("has a mailbox in development, a server where one is named, and nothing in production without one", () => {
    const server = { url: "smtp://127.0.0.1:9", from: "a@example.com" };
    expect([configured("development", {}), configured("test", {}), configured("production", {})]).toEqual([
      true,
      true,
      false,
    ]);
    expect(configured("production", server)).toBe(true);
    expect(hasMailbox({ env: "development", mail: {} })).toBe(true);
    expect(hasMailbox({ env: "development", mail: server })).toBe(false);
    expect(hasMailbox({ env: "production", mail: {} })).toBe(false);
  });

  test.each([
    ["a line break in the subject", { subject: "hi\r\nBcc: eve@example.com" }],
    ["a line separator in the subject", { subject: "hi\u2028there" }],
    ["a second recipient", { to: "ada@example.com, eve@example.com" }],
    ["a recipient with a line break", { to: "ada@example.com\r\nRCPT TO:<eve@example.com>" }],
    ["a name before the address", { to: "Ada <ada@example.com>" }],
    ["no text", { text: "" }],
    ["a field of its own", { bcc: "eve@example.com" } as Partial<Mail>],
  ])("cannot send one with %s", async (_what, wrong) => {
    const to = `${newId()}@example.com`;
    await expect(sendMail(mailTo(to, wrong))).rejects.toThrow(
      /is not an e-mail address|control characters|Too small|Unrecognized/i,
    );
    expect((await messageList(to, 10, undefined)).rows).toEqual([]);
  });
});

describe("the mailbox's page", () => {
  const row = {
    id: newId(),
    cursorMicros: "1",
    recipient: "ada@example.com",
    subject: "s",
    text: "t",
    isCut: false,
    sentAt: new Date(0),
  };

  test("shows nothing of a mail as HTML, and makes its addresses links", () => {
    const hostile = `<script>alert(1)</script>"'&`;
    const text = `${hostile} https://example.com/verify?token=a&b="><script>x http://y`;
    const page = mailboxPage([{ ...row, subject: hostile, recipient: hostile, text }], undefined);
    expect(page).not.toMatch(/<script/);
    expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;");
    expect(page).toContain('<a href="https://example.com/verify?token=a&amp;b=" rel="noreferrer">');
    expect(page).toContain('<a href="http://y" rel="noreferrer">http://y</a>');
  });

  test("leads to older mails, and says when there is none", () => {
    expect(mailboxPage([row], "1_x&y")).toContain('href="/mail?cursor=1_x%26y"');
    expect(mailboxPage([row], undefined)).not.toContain("Older");
    expect(mailboxPage([], undefined)).toContain("Nothing yet");
  });

  test("runs no script and sends no address on", () => {
    expect(mailboxPageHeaders["content-security-policy"]).toMatch(/^default-src 'none'; style-src 'unsafe-inline';/);
    expect(mailboxPageHeaders["referrer-policy"]).toBe("no-referrer");
    expect(mailboxPage([row], undefined)).not.toMatch(/<script|\son\w+=/);
  });
});
