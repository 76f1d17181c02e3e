// Sends mails by what the configuration names: an SMTP server, in development a mailbox, in production without a
// server nothing, which is said at the start and to whoever needs a mail.
import { cfg, type FrozenConfig } from "../config";
import type { Tx } from "../db/tenant";
import { logger } from "../telemetry/logger";
import { onShutdown } from "../telemetry/shutdown";
import { errors } from "./errors";
import { mailSchema, type Mail } from "./message";
import { createMailbox } from "./providers/mailbox";
import { createSmtpTransport } from "./providers/smtp";
import { messageDeleteTo } from "./store";
import type { MailTransport } from "./transport";

type MailConfig = Pick<FrozenConfig, "env" | "mail">;

/** What the configuration asks for; undefined where no mail can be sent. */
export function transportFor({ env, mail }: MailConfig): MailTransport | undefined {
  if (mail.url !== undefined && mail.from !== undefined) return createSmtpTransport({ url: mail.url, from: mail.from });
  return env === "production" ? undefined : createMailbox();
}

/** Whether mails go into the development mailbox. */
export const hasMailbox = ({ env, mail }: MailConfig = cfg): boolean => env !== "production" && mail.url === undefined;

let transport: MailTransport | undefined;

/**
 * Sends one mail; from a job, never inside a transaction or a request: a mail server may take half a minute.
 * @throws MailError when it was not taken over: try again unless `isFinal`.
 * @throws APIError mail_not_configured
 * @throws ZodError when the mail is none: a line break in the subject, a second recipient.
 */
export async function sendMail(mail: Mail): Promise<void> {
  requireMail();
  await open().send(mailSchema.parse(mail));
}

/** For endpoints whose work ends in a mail: @throws APIError mail_not_configured */
export function requireMail(): void {
  if (!canSendMail()) throw errors.mail_not_configured();
}

/** Whether this installation sends mails: for work that goes on without one. */
export const canSendMail = ({ env, mail }: MailConfig = cfg): boolean => env !== "production" || mail.url !== undefined;

/** Removes what the development mailbox holds for these addresses: of a person who is gone. */
export const forgetMails = (tx: Tx, addresses: readonly string[]): Promise<void> => messageDeleteTo(tx, addresses);

/** The one transport of this process, opened when first needed and closed with the process. */
function open(): MailTransport {
  if (transport !== undefined) return transport;
  const opened = transportFor(cfg);
  if (opened === undefined) throw errors.mail_not_configured();
  onShutdown("mail", () => opened.close(), "idle");
  return (transport = opened);
}

/** Says at the start where mails go. */
export function announceMail(): void {
  if (cfg.mail.url !== undefined) return;
  const log = logger("mail");
  if (cfg.env === "production")
    log.warn("no mail can be sent, so nobody can verify an address or reset a password: set MAIL_URL and MAIL_FROM");
  else log.info("mails stay on this machine: read them at /mail");
}
