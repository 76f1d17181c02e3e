// A mail server that keeps the links of the mails that it is given, asks for a password, and knows nobody at one domain.
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { simpleParser } from "mailparser";
import { SMTPServer } from "smtp-server";
import { until } from "../running-app";

export const UNDELIVERABLE = "undeliverable.example";
/** Whose mails are read; others, of which a fuzzer causes many, are taken and forgotten. */
const READ = "planted.example";

export interface MailSink {
  /** For MAIL_URL, with its password. */
  url: string;
  /** The token of the link to `page` in a mail to this address, as soon as there is one. */
  token(to: string, page: string): Promise<string>;
  close(): Promise<void>;
}

export async function startMailSink(password: string): Promise<MailSink> {
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
      if (!to.endsWith(`@${READ}`)) {
        stream.on("end", () => done()).resume();
        return;
      }
      void simpleParser(stream, { skipHtmlToText: true, skipTextToHtml: true }).then((mail) => {
        for (const [, page = "", token = ""] of (mail.text ?? "").matchAll(/(\/[\w-]+)#token=([\w-]+)/g))
          tokens.set(`${to} ${page}`, token);
        done();
      }, done);
    },
  });
  server.on("error", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server.server, "listening");
  const { port } = server.server.address() as AddressInfo;
  return {
    url: `smtp://groundwork:${password}@127.0.0.1:${port}`,
    async token(to, page) {
      await until(`a mail to ${to} with a link to ${page}`, () => tokens.has(`${to} ${page}`));
      return tokens.get(`${to} ${page}`)!;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
