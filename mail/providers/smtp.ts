// SMTP by nodemailer. A server that hangs is given up after the limits below, in whichever phase it hangs. Outside this
// machine a connection is encrypted or not used: the mails carry links that sign people in (RFC 8314 §3).
import { createTransport, type Transporter } from "nodemailer";
import { withinTime } from "../../telemetry/time-limit";
import type { Mail } from "../message";
import { MAIL_MS_MAX, MailError, type MailTransport } from "../transport";

const MAILS_PER_CONNECTION = 100;

export interface SmtpOptions {
  /** `smtp://user:password@host:port` (STARTTLS) or `smtps://…` (TLS from the start). */
  url: string;
  /** Address, or name and address: `Product <mail@example.com>`. */
  from: string;
  /** For each phase of a connection. */
  phaseTimeoutMs?: number;
  /** For a whole mail: MAIL_MS_MAX unless a test says otherwise. */
  totalTimeoutMs?: number;
}

export function createSmtpTransport(options: SmtpOptions): MailTransport {
  const { totalTimeoutMs = MAIL_MS_MAX } = options;
  const transporter = transporterOf(options);
  const domain = options.from
    .slice(options.from.lastIndexOf("@") + 1)
    .replace(">", "")
    .trim();
  return {
    async send({ id, to, subject, text, html, unsubscribeUrl }: Mail): Promise<void> {
      const ending = new AbortController();
      const mail = {
        from: options.from,
        // As an object, so that nobody looks for a list of addresses in it.
        to: { name: "", address: to },
        subject,
        text,
        ...(html === undefined ? {} : { html }),
        messageId: `<${id}@${domain}>`,
        // Machines don't answer this mail with "I am on holiday" (RFC 3834).
        headers: { "Auto-Submitted": "auto-generated", ...unsubscribeHeaders(unsubscribeUrl) },
        disableFileAccess: true,
        disableUrlAccess: true,
        signal: ending.signal,
      };
      await withinTime(transporter.sendMail(mail), totalTimeoutMs).catch((error: unknown) => {
        // A server that trickles is silent in no phase: its connection would be held, and some such ones would end all mail.
        ending.abort();
        throw new MailError("the mail server did not take the mail", isFinal(error), { cause: error });
      });
    },
    close: () => transporter.close(),
  };
}

/** One click of a mail program's own button is enough (RFC 8058); prepared, so that nothing folds or encodes the address. */
const unsubscribeHeaders = (url: string | undefined): Record<string, string | { prepared: true; value: string }> =>
  url === undefined
    ? {}
    : {
        "List-Unsubscribe": { prepared: true, value: `<${url}>` },
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
      };

function transporterOf({ url, phaseTimeoutMs = 10_000 }: SmtpOptions): Transporter {
  const { protocol, hostname, port, username, password } = new URL(url);
  const isHere = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);
  const secure = protocol === "smtps:";
  return createTransport({
    pool: true,
    // As many as jobs send at once (QUEUES_SET), each of them one mail: nothing waits here for another while its time goes by.
    maxConnections: Infinity,
    maxMessages: MAILS_PER_CONNECTION,
    host: hostname.replace(/^\[|\]$/g, ""),
    port: port === "" ? (secure ? 465 : 587) : Number(port),
    secure,
    requireTLS: !secure && !isHere,
    // A server on this machine has a certificate of its own making, if any.
    ...(isHere && !secure ? { ignoreTLS: true } : {}),
    ...(username === "" ? {} : { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }),
    connectionTimeout: phaseTimeoutMs,
    greetingTimeout: phaseTimeoutMs,
    socketTimeout: phaseTimeoutMs,
    dnsTimeout: phaseTimeoutMs,
  });
}

/**
 * A permanent refusal (5yz, RFC 5321 §4.2.1) of this recipient or this mail. Of who we are, or of the connection, it is
 * a mistake that somebody mends: then the mail is tried again.
 */
function isFinal(error: unknown): boolean {
  const { responseCode, command } = (error ?? {}) as { responseCode?: unknown; command?: unknown };
  const isAboutTheMail = command === "RCPT TO" || command === "DATA";
  return isAboutTheMail && typeof responseCode === "number" && responseCode >= 500 && responseCode < 600;
}
