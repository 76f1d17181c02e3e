// The port: what a way to send mail promises. Each implementation is held to __tests__/transport-contract.ts.
import type { Mail } from "./message";

/** Of a whole mail. A job that sends one needs more time than that. */
export const MAIL_MS_MAX = 30_000;

export interface MailTransport {
  /**
   * Resolves when the other side has taken the mail over. The same id may be sent again (a job that was killed after
   * its mail had left): the mail then has the same Message-ID, and the mailbox keeps one. Ends within MAIL_MS_MAX.
   * @throws MailError
   */
  send(mail: Mail): Promise<void>;
  /** Ends connections that are open. */
  close(): void;
}

/** A mail that was not taken over. `isFinal`: trying again cannot help (the address does not exist, the mail is refused). */
export class MailError extends Error {
  override readonly name = "MailError";
  constructor(
    message: string,
    readonly isFinal: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
