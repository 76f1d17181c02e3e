// What every way to send mail promises, as tests: each implementation calls this with itself.
import { expect, test } from "vitest";
import { newId } from "../../db/ids";
import { mailSchema } from "../message";
import type { MailTransport } from "../transport";

export interface Received {
  id: string;
  to: string;
  subject: string;
  text: string;
  html?: string | undefined;
}

export interface Subject {
  transport: MailTransport;
  /** What has arrived for this address. */
  receivedBy(address: string): Promise<Received[]>;
}

export function transportContract(subjectOf: () => Subject): void {
  const address = (): string => `${newId()}@example.com`;

  test("a mail arrives as it was sent: long lines, other scripts, dots at the start of a line, an HTML version", async () => {
    const { transport, receivedBy } = subjectOf();
    const text = `Grüße, 世界 👋\n.\n..two dots\n${"x".repeat(5_000)}\nhttps://example.com/verify?token=a=b&c=${"y".repeat(300)}`;
    const mail = {
      id: newId(),
      to: address(),
      subject: `Willkommen – ${"ü".repeat(100)}`,
      text,
      html: "<p>Grüße 👋</p>",
    };
    await transport.send(mail);
    expect(await receivedBy(mail.to)).toEqual([mail]);
  });

  test("a mail arrives at an address in any script, whose domain is written as the DNS has it", async () => {
    const { transport, receivedBy } = subjectOf();
    for (const to of [`zoë.${newId()}@example.xn--p1ai`, `用户${newId()}@example.com`]) {
      const mail = mailSchema.parse({ id: newId(), to, subject: "here", text: "t" });
      await transport.send(mail);
      expect(await receivedBy(to)).toEqual([mail]);
    }
  });

  test("what hides another recipient, or is no address, is no mail", () => {
    const wrong = [
      "a,b@example.com",
      '"a@b"@example.com',
      "a@example.com, b@example.com",
      "<a@example.com>",
      "a b@example.com",
    ];
    for (const to of [
      ...wrong,
      "a@example.com\r\nBcc: b@example.com",
      "a@@example.com",
      ".a@example.com",
      "a@b",
      "a@example..com",
    ])
      expect(mailSchema.safeParse({ id: newId(), to, subject: "here", text: "t" }).success).toBe(false);
  });

  test("mails sent at once all arrive, each once and to nobody else", async () => {
    const { transport, receivedBy } = subjectOf();
    const mails = Array.from({ length: 20 }, (_, n) => ({
      id: newId(),
      to: address(),
      subject: `no. ${n}`,
      text: "t",
    }));
    await Promise.all(mails.map((mail) => transport.send(mail)));
    for (const mail of mails) expect(await receivedBy(mail.to)).toEqual([mail]);
  });

  test("a mail that is sent again has the same id, by which a repetition is known", async () => {
    const { transport, receivedBy } = subjectOf();
    const mail = { id: newId(), to: address(), subject: "twice", text: "t" };
    await transport.send(mail);
    await transport.send(mail);
    expect(new Set((await receivedBy(mail.to)).map(({ id }) => id))).toEqual(new Set([mail.id]));
  });
}
