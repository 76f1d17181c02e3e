// Whose session has ended, or who was demoted, changes nothing of who may act in an organisation, though their access token was let in
// a moment before. The attack: whoever is being put out invites another address of theirs.
import { auth } from "~encore/clients";
import { expect, test } from "vitest";
import { systemQuery } from "../../db/tenant";
import { register, type Registered } from "../registration";
import { as } from "./callers";
import { newcomer, reason } from "./people";

type By = Awaited<ReturnType<typeof as>>;
type Act = () => Promise<unknown>;

interface Stage {
  ada: Registered;
  by: By;
  /** A member of Ada's organisation. */
  bob: string;
}

const permissions = ["document.read"];

/** Each with what it needs, which is there before. */
const changes: Record<string, (stage: Stage) => Promise<Act>> = {
  "invites somebody": ({ by }) =>
    Promise.resolve(() => auth.inviteMember({ email: newcomer().email, role: "admin" }, by)),
  "takes an invitation back": async ({ by }) => {
    const { id } = await auth.inviteMember({ email: newcomer().email, role: "admin" }, by);
    return () => auth.revokeInvitation({ id }, by);
  },
  "gives a role": ({ by, bob }) => Promise.resolve(() => auth.changeMember({ userId: bob, role: "admin" }, by)),
  "removes a member": ({ by, bob }) => Promise.resolve(() => auth.removeMember({ userId: bob }, by)),
  "makes a role": ({ by }) => Promise.resolve(() => auth.createRole({ name: "Reader", permissions }, by)),
  "changes a role": async ({ by }) => {
    const { id } = await auth.createRole({ name: "Reader", permissions }, by);
    return () => auth.changeRole({ id, permissions: ["document.write"] }, by);
  },
  "deletes a role": async ({ by }) => {
    const { id } = await auth.createRole({ name: "Reader", permissions }, by);
    return () => auth.deleteRole({ id }, by);
  },
  "makes a machine": ({ by }) =>
    Promise.resolve(() => auth.createServicePrincipal({ name: "Importer", permissions }, by)),
  "changes a machine": async ({ by }) => {
    const { id } = await auth.createServicePrincipal({ name: "Importer", permissions }, by);
    return () => auth.changeServicePrincipal({ id, permissions: ["document.write"] }, by);
  },
  "deletes a machine": async ({ by }) => {
    const { id } = await auth.createServicePrincipal({ name: "Importer", permissions }, by);
    return () => auth.deleteServicePrincipal({ id }, by);
  },
  "adds a domain": ({ by }) =>
    Promise.resolve(() => auth.addDomain({ domain: `${crypto.randomUUID().slice(0, 8)}.example` }, by)),
  "removes a domain": async ({ by }) => {
    const { id } = await auth.addDomain({ domain: `${crypto.randomUUID().slice(0, 8)}.example` }, by);
    return () => auth.removeDomain({ id }, by);
  },
  "transfers the organisation": ({ by, ada, bob }) =>
    Promise.resolve(() => auth.transferOrganisation({ id: ada.organisation.id, userId: bob }, by)),
  "deletes the organisation": ({ by, ada }) =>
    Promise.resolve(() => auth.deleteOrganisation({ id: ada.organisation.id }, by)),
};

async function stage(): Promise<Stage> {
  const [ada, other] = [await register(newcomer(), new Date()), await register(newcomer(), new Date())];
  await systemQuery("test", "insert into auth.membership (tenant_id, account_id, role) values ($1, $2, 'member')", [
    ada.organisation.id,
    other.user.id,
  ]);
  return { ada, by: await as(ada), bob: other.user.id };
}

const stateOf = ({ ada }: Stage): Promise<unknown[]> =>
  systemQuery(
    "test",
    `select o.*,
            (select jsonb_agg(m order by m.account_id) from auth.membership m where m.tenant_id = o.id) as members,
            (select jsonb_agg(i order by i.id) from auth.invitation i where i.tenant_id = o.id) as invitations,
            (select jsonb_agg(r order by r.id) from auth.role r where r.tenant_id = o.id) as roles,
            (select jsonb_agg(s order by s.id) from auth.service_principal s where s.tenant_id = o.id) as machines,
            (select jsonb_agg(d order by d.id) from auth.domain d where d.tenant_id = o.id) as domains
       from auth.organisation o where o.id = $1`,
    [ada.organisation.id],
  );

test.each(Object.keys(changes))(
  "nobody %s whose session is over, or who was demoted; else it is done",
  async (change) => {
    const staged = await stage();
    const act = await changes[change]!(staged);
    const own = [staged.ada.organisation.id, staged.ada.user.id];
    const setRole = (role: string): Promise<unknown> =>
      systemQuery("test", "update auth.membership set role = $3 where tenant_id = $1 and account_id = $2", [
        ...own,
        role,
      ]);
    await setRole("viewer");
    const demoted = await stateOf(staged);
    expect(await reason(act())).toBe("permission_denied");
    expect(await stateOf(staged)).toEqual(demoted);

    await setRole("owner");
    const before = await stateOf(staged);
    expect(await reason(act())).toBeUndefined();
    expect(await stateOf(staged)).not.toEqual(before);

    // As when the provider that vouched for the session is another one by now, or required.
    const closed = await stage();
    const outside = await changes[change]!(closed);
    await systemQuery("test", "update auth.session set amr = '{sso}' where account_id = $1", [closed.ada.user.id]);
    const open = await stateOf(closed);
    expect(await reason(outside())).toBe("invalid_token");
    expect(await stateOf(closed)).toEqual(open);

    const ended = await stage();
    const late = await changes[change]!(ended);
    await auth.logout({}, ended.by);
    const last = await stateOf(ended);
    expect(await reason(late())).toBe("invalid_token");
    expect(await stateOf(ended)).toEqual(last);
  },
);
