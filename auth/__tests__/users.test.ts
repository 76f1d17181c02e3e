// The users of /api/v1 are the organisation's members: what is asked of them here is so there, and the other way round.
import { auth } from "~encore/clients";
import { describe, expect, test } from "vitest";
import { systemQuery } from "../../db/tenant";
import { register, type Registered } from "../registration";
import { as } from "./callers";
import { mailedToken } from "./mails";
import { newcomer, reason } from "./people";

const person = async (): Promise<Registered> => register(newcomer(), new Date());

/** An owner with colleagues of these roles, who joined one after the other. */
async function organisation(...roles: ("admin" | "member" | "viewer")[]): Promise<Registered[]> {
  const owner = await person();
  const everybody = [owner];
  for (const role of roles) {
    const joining = await person();
    await auth.createUser({ email: joining.user.email, role }, await as(owner));
    await auth.acceptInvitation({ token: await mailedToken(joining.user.email) }, await as(joining));
    everybody.push(joining);
  }
  return everybody;
}

type Asked = Parameters<typeof auth.listUsers>[0];
const idsOf = (people: readonly Registered[]): string[] => people.map(({ user }) => user.id);
const listed = async (by: Registered, asked: Asked): Promise<string[]> =>
  (await auth.listUsers(asked, await as(by))).items.map(({ id }) => id);

describe("users are listed", () => {
  test("as members of the organisation alone, by pages, in the order asked for", async () => {
    const everybody = await organisation("admin", "member", "member", "viewer");
    const [owner] = everybody as [Registered];
    await organisation("admin");
    expect(await listed(owner, { sort: "createdAt" })).toEqual(idsOf(everybody));
    expect(await listed(owner, { sort: "createdAt", page: 2, limit: 2 })).toEqual(idsOf(everybody.slice(2, 4)));
    const members = (await auth.listMembers({}, await as(owner))).members.map(({ id }) => id);
    const walked: string[] = [];
    for (let cursor: string | undefined, isMore = true; isMore; isMore = cursor !== undefined) {
      const page = await auth.listUsers({ limit: 2, ...(cursor === undefined ? {} : { cursor }) }, await as(owner));
      walked.push(...page.items.map(({ id }) => id));
      cursor = page.next;
    }
    expect(walked).toEqual(members);
  });

  test("by pages where many joined in one moment, none twice and none lost", async () => {
    const everybody = await organisation("member", "member", "member");
    const [owner] = everybody as [Registered];
    await systemQuery(
      "test",
      "update auth.membership set created_at = '2026-01-01T00:00:00.0005Z' where tenant_id = $1",
      [owner.organisation.id],
    );
    const first = await auth.listUsers({ limit: 1 }, await as(owner));
    const rest = await auth.listUsers({ cursor: first.next! }, await as(owner));
    expect([...first.items, ...rest.items].map(({ id }) => id).sort()).toEqual(idsOf(everybody).sort());
  });

  test("by what they are, with the fields asked for", async () => {
    const [owner, admin, member] = (await organisation("admin", "member")) as [Registered, Registered, Registered];
    expect(await listed(owner, { role: ["in.admin,viewer"] })).toEqual([admin.user.id]);
    expect(await listed(owner, { email: [`eq.${member.user.email}`] })).toEqual([member.user.id]);
    expect(await listed(owner, { role: ["eq.owner"], email: [`eq.${member.user.email}`] })).toEqual([]);
    const { items } = await auth.listUsers({ role: ["eq.member"], fields: "role" }, await as(owner));
    expect(items).toEqual([{ id: member.user.id, role: "member" }]);
    expect(await reason(listed(owner, { role: ["like.o"] }))).toBe("invalid_request");
    expect(await reason(listed(owner, { sort: "role" }))).toBe("invalid_request");
  });
});

describe("a user", () => {
  test("is there when they accept, is given another role, and removed", async () => {
    const [owner, joining] = [await person(), await person()];
    const by = await as(owner);
    const invited = await auth.createUser({ email: joining.user.email, role: "member" }, by);
    expect(invited).toMatchObject({ email: joining.user.email, role: "member" });
    const { invitations } = await auth.listInvitations({}, by);
    expect(invitations.map(({ id }) => id)).toEqual([invited.invitationId]);
    const { id } = joining.user;
    expect(await reason(auth.getUser({ id }, by))).toBe("member_not_found");
    await auth.acceptInvitation({ token: await mailedToken(joining.user.email) }, await as(joining));
    const user = await auth.getUser({ id }, by);
    expect(user).toEqual({ id, email: joining.user.email, role: "member", createdAt: user.createdAt });
    expect(await auth.updateUser({ id, role: "viewer" }, by)).toEqual({ ...user, role: "viewer" });
    await auth.removeUser({ id }, by);
    expect(await reason(auth.getUser({ id }, by))).toBe("member_not_found");
    expect(await listed(owner, {})).toEqual([owner.user.id]);
  });

  test("of another organisation is nobody, and an id that is none neither", async () => {
    const [owner, stranger] = [await person(), await person()];
    const by = await as(owner);
    for (const id of [stranger.user.id, crypto.randomUUID(), "me"]) {
      expect(await reason(auth.getUser({ id }, by))).toBe("member_not_found");
      expect(await reason(auth.updateUser({ id, role: "viewer" }, by))).toBe("member_not_found");
      expect(await reason(auth.removeUser({ id }, by))).toBe("member_not_found");
    }
    expect(await listed(stranger, {})).toEqual([stranger.user.id]);
  });

  test("has no role whose id is none", async () => {
    const [owner, member] = (await organisation("member")) as [Registered, Registered];
    const by = await as(owner);
    const given = { role: "custom", roleId: "nonsense" } as const;
    expect(await reason(auth.createUser({ email: "nobody@example.com", ...given }, by))).toBe("role_not_found");
    expect(await reason(auth.updateUser({ id: member.user.id, ...given }, by))).toBe("role_not_found");
  });

  test("is given no more than whoever gives it has, and the last owner stays", async () => {
    const [owner, admin, member] = (await organisation("admin", "member")) as [Registered, Registered, Registered];
    const byAdmin = await as(await auth.switchTo({ organisationId: owner.organisation.id }, await as(admin)));
    expect(await reason(auth.updateUser({ id: member.user.id, role: "owner" }, byAdmin))).toBe("permission_denied");
    expect(await reason(auth.removeUser({ id: owner.user.id }, byAdmin))).toBe("permission_denied");
    expect(await reason(auth.removeUser({ id: owner.user.id }, await as(owner)))).toBe("last_owner");
  });
});
