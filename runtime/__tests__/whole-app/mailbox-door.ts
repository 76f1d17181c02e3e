// Part of tokens-over-http.test.ts, whose app it shares. The development mailbox holds links that sign people in: each of its
// endpoints shows it to this machine and to nobody else, however they come. In production: doors.test.ts.
import { describe, expect, test } from "vitest";
import { until } from "./support/running-app";

/** Somebody of elsewhere, directly, through a proxy of this machine's, and through one that names them in another header. */
const FAR: Record<string, string>[] = [
  { "x-forwarded-for": "203.0.113.7" },
  { "x-forwarded-for": "203.0.113.7, 127.0.0.1" },
  { "x-forwarded-for": "127.0.0.1, 2001:db8::7" },
  { forwarded: "for=203.0.113.7" },
];

/** @param baseUrl of an app in which somebody has registered, so that a mail is on its way */
export function mailboxDoor(baseUrl: () => string): void {
  describe("the mailbox", () => {
    test("opens each of its endpoints to this machine, and is not there for anybody else", async () => {
      const ask = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
        fetch(`${baseUrl()}${path}`, { headers });
      let id: string | undefined;
      await until("a mail is there", async () => {
        const { messages } = (await (await ask("/mail/messages")).json()) as { messages: { id: string }[] };
        return (id = messages[0]?.id) !== undefined;
      });
      for (const path of ["/mail", "/mail/messages", `/mail/messages/${id}`]) {
        const near = await ask(path);
        expect([path, near.status]).toEqual([path, 200]);
        await near.body?.cancel();
        for (const headers of FAR) {
          const far = await ask(path, headers);
          expect([path, headers, far.status]).toEqual([path, headers, 404]);
          expect(await far.json()).toMatchObject({ code: "not_found", details: { reason: "mailbox_not_found" } });
        }
      }
    });
  });
}
