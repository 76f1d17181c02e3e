// A mail server that keeps the links and codes of the mails that it is given, asks for a password, and knows nobody at one domain.
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { simpleParser } from "mailparser";
import { SMTPServer } from "smtp-server";
import { until } from "../running-app";
import type { Planted } from "./planted";

export const UNDELIVERABLE = "undeliverable.example";
/** Whose mails are forgotten: a fuzzer causes many. */
const FORGOTTEN = "@example.com";

export interface MailSink {
  /** For the app: the address with a password, and a sender. */
  env: { MAIL_URL: string; MAIL_FROM: string };
  /** The token of the link to `page` in a mail to this address, as soon as there is one. */
  token(to: string, page: string): Promise<string>;
  /** The code of a mail to this address, as soon as there is one. */
  code(to: string): Promise<string>;
  close(): Promise<void>;
}

/** `planted` is told of its password. */
export async function startMailSink(planted: Planted): Promise<MailSink> {
  const password = `mail-planted-${crypto.randomUUID()}`;
  planted.set(password, "MAIL_URL");
  const codes = new Map<string, string>();
  const tokens = new Map<string, string>();
  const server = new SMTPServer({
    hideSTARTTLS: true,
    allowInsecureAuth: true,
    logger: false,
    onAuth: (auth, _session, done) =>
      auth.password === password ? done(null, { user: "groundwork" }) : done(new Error("another password")),
    onRcptTo: ({ address }, _session, done) =>
      address.endsWith(`@${UNDELIVERABLE}`)
        ? done(Object.assign(new Error("nobody of this name"), { responseCode: 550 }))
        : done(),
    onData: (stream, session, done) => {
      const to = session.envelope.rcptTo[0]?.address ?? "";
      if (to.endsWith(FORGOTTEN)) {
        stream.on("end", () => done()).resume();
        return;
      }
      void simpleParser(stream, { skipHtmlToText: true, skipTextToHtml: true }).then((mail) => {
        for (const [, page = "", token = ""] of (mail.text ?? "").matchAll(/(\/[\w-]+)#token=([\w-]+)/g))
          tokens.set(`${to} ${page}`, token);
        const [code] = /^(?:[0-9A-Z]{4}-){5}[0-9A-Z]{4}$/m.exec(mail.text ?? "") ?? [];
        if (code !== undefined) codes.set(to, code);
        done();
      }, done);
    },
  });
  server.on("error", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server.server, "listening");
  const { port } = server.server.address() as AddressInfo;
  return {
    env: { MAIL_URL: `smtp://groundwork:${password}@127.0.0.1:${port}`, MAIL_FROM: "mail@groundwork.test" },
    async token(to, page) {
      await until(`a mail to ${to} with a link to ${page}`, () => tokens.has(`${to} ${page}`));
      return tokens.get(`${to} ${page}`)!;
    },
    async code(to) {
      await until(`a mail to ${to} with a code`, () => codes.has(to));
      return codes.get(to)!;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
