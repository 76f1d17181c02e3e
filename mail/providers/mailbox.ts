// The development mailbox: mails go into a table and are read at /mail. Nothing leaves the machine.
import type { Mail } from "../message";
import { messageAdd } from "../store";
import { MailError, type MailTransport } from "../transport";

export function createMailbox(): MailTransport {
  return {
    send: (mail: Mail) =>
      messageAdd(mail).catch((error: unknown) => {
        throw new MailError("the mailbox did not take the mail", false, { cause: error });
      }),
    close: () => undefined,
  };
}
