// People of one organisation, with addresses of their own, and what they are sent.
import { notifications } from "~encore/clients";
import { randomUUID } from "node:crypto";
import { systemQuery } from "../../../db/tenant";
import { reasonOf } from "../../../security/errors";
import { createCaller, type Caller } from "../../../testing";

export interface Member extends Caller {
  id: string;
  email: string;
}

/** Somebody with an account that is a member; `verified: false` has not shown to read their mails. */
export async function joinMember(
  organisation: Pick<Caller, "tenantId">,
  { role = "member", verified = true }: { role?: "owner" | "admin" | "member" | "viewer"; verified?: boolean } = {},
): Promise<Member> {
  const caller = createCaller(role, organisation);
  const id = caller.principal.subjectId;
  const email = `${randomUUID()}@example.com`;
  await systemQuery(
    "test",
    `with account as (
       insert into auth.account (id, email, email_verified_at) values ($1, $2, case when $3 then now() end) returning id),
     organisation as (insert into auth.organisation (id, name) values ($4, 'Acme') on conflict do nothing)
     insert into auth.membership (tenant_id, account_id, role) select $4, id, $5 from account`,
    [id, email, verified, organisation.tenantId, role],
  );
  return { ...caller, id, email };
}

/** An organisation with an owner. */
export const found = (): Promise<Member> => joinMember({ tenantId: createCaller().tenantId }, { role: "owner" });

export const content = { title: "Your invoice", body: "It is due on Friday.\n\nThank you.", url: "/invoices/7" };

export const sendTo = async (by: Caller, to: readonly Member[], more: object = {}): Promise<string> => {
  const asked = { to: to.map(({ id }) => id), category: "billing", content, ...more };
  return (await notifications.send(asked, by)).id;
};

/** "channel state reason" of each delivery to one of them. */
export async function receiptsOf(by: Caller, id: string, to?: Member): Promise<string[]> {
  const { receipts } = await notifications.listReceipts({ id, limit: 100 }, by);
  return receipts
    .filter(({ userId }) => to === undefined || userId === to.id)
    .map(({ channel, state, reason }) => [channel, state, ...(reason === undefined ? [] : [reason])].join(" "))
    .sort();
}

export const reason = (promise: Promise<unknown>): Promise<string | undefined> =>
  promise.then(() => undefined, reasonOf);
