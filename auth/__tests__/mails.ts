// The mails of a test's people: runs the jobs that were asked for, as a worker would, and reads the mailbox.
import { auth } from "~encore/clients";
import { systemQuery } from "../../db/tenant";
import { messageList } from "../../mail/store";
import { tenantIdFrom } from "../../security/principal";
import { mailJob, sendAccountMail } from "../jobs";

/** Runs the mail jobs that transactions have asked for and no call of this ran before, and those that these ask for. */
export async function deliverMails(): Promise<void> {
  const failures: unknown[] = [];
  while (await deliverAsked(failures));
  if (failures.length > 0) throw failures[0];
}

/** Whether there were any. */
async function deliverAsked(failures: unknown[]): Promise<boolean> {
  const jobs = await systemQuery<{ payload: unknown; tenantId: string | null }>(
    "test",
    `with taken as (
       update events.outbox set published_at = now() where destination = 'job' and type = $1 and published_at is null
       returning id, payload, tenant_id)
     select payload, tenant_id as "tenantId" from taken order by id`,
    [mailJob.name],
  );
  for (const { payload, tenantId } of jobs)
    await sendAccountMail(mailJob.payload.parse(payload), tenantId === null ? null : tenantIdFrom(tenantId)).catch(
      (error: unknown) => failures.push(error),
    );
  return jobs.length > 0;
}

export interface ReadMail {
  subject: string;
  text: string;
  /** Of its link; empty for a mail without one. */
  token: string;
}

/** What an address was sent, the newest first. */
export async function mailsTo(address: string): Promise<ReadMail[]> {
  await deliverMails();
  const { rows } = await messageList(address, 20, undefined);
  return rows.map(({ subject, text }) => ({ subject, text, token: /#token=([\w-]+)/.exec(text)?.[1] ?? "" }));
}

/** Opens the link that a new account is mailed. */
export async function verifyAddressOf({ email }: { email: string }): Promise<void> {
  await auth.verifyEmail({ token: await mailedToken(email) });
}

/** The token of the newest mail to the address. */
export async function mailedToken(address: string): Promise<string> {
  return (await mailsTo(address))[0]?.token ?? "";
}
