// Whose session has ended, or who was demoted, changes nothing of who may act in an organisation, of what it keeps secret or may
// spend, or of who is told elsewhere, though their access token was let in a moment before. The attack: whoever is being put out invites another address of theirs.
import { auth } from "~encore/clients";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemQuery } from "../../db/tenant";
import { startForger, type StartedForger } from "./openid-forger";
import { organisationChanges, organisationState, stage } from "./organisation-changes";
import { reason } from "./people";

let provider: StartedForger;
beforeAll(async () => {
  provider = await startForger();
});
afterAll(() => provider.close());

test.each(Object.keys(organisationChanges))(
  "%s is refused whose session is over, or who was demoted; else it is done",
  async (change) => {
    const begin = organisationChanges[change]!;
    const staged = await stage(provider.issuer);
    const act = await begin(staged);
    const own = [staged.ada.organisation.id, staged.ada.user.id];
    const setRole = (role: string): Promise<unknown> =>
      systemQuery("test", "update auth.membership set role = $3 where tenant_id = $1 and account_id = $2", [
        ...own,
        role,
      ]);
    await setRole("viewer");
    const demoted = await organisationState(staged);
    expect(await reason(act())).toBe("permission_denied");
    expect(await organisationState(staged)).toEqual(demoted);

    await setRole("owner");
    const before = await organisationState(staged);
    expect(await reason(act())).toBeUndefined();
    expect(await organisationState(staged)).not.toEqual(before);

    // As when the provider that vouched for the session is another one by now, or required.
    const closed = await stage(provider.issuer);
    const outside = await begin(closed);
    await systemQuery("test", "update auth.session set amr = '{sso}' where account_id = $1", [closed.ada.user.id]);
    const open = await organisationState(closed);
    expect(await reason(outside())).toBe("invalid_token");
    expect(await organisationState(closed)).toEqual(open);

    const ended = await stage(provider.issuer);
    const late = await begin(ended);
    await auth.logout({}, ended.by);
    const last = await organisationState(ended);
    expect(await reason(late())).toBe("invalid_token");
    expect(await organisationState(ended)).toEqual(last);
  },
);
