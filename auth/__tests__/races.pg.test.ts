// What several people, or one person's several clicks, do at the same moment: one of them wins, and nothing is left half done.
// On a server, where it really is the same moment; each race is run several times over.
import { auth } from "~encore/clients";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemQuery } from "../../db/tenant";
import type { Role } from "../../security/permissions";
import { OidcClients } from "../oidc/providers";
import { accountLock, accountSetEmail, accountSetPassword } from "../store/accounts";
import { beginOidcSignIn, completeOidcSignIn } from "../oidc/sign-in";
import { createOneTimeToken } from "../one-time-token";
import { identityDelete } from "../store/identities";
import { membershipDelete, membershipLock } from "../store/memberships";
import { oneTimeTokenHold } from "../store/one-time-tokens";
import { redirectUriOf } from "../oidc/state";
import { signIn, type SignedIn } from "../sessions";
import { register, type Registered } from "../registration";
import { as } from "./callers";
import { mailedToken, verifyAddressOf } from "./mails";
import { provided } from "./oidc-providers";
import { startOpenIdProvider, type StartedProvider } from "./openid-provider";
import { here, newcomer, password, reason } from "./people";
import {
  duringChange,
  inRounds,
  liveSessions,
  number,
  oneOf,
  outcomes,
  untilWaiting,
  whileUncommitted,
  wins,
} from "./races";

const other = "another fine passphrase";
const person = async (): Promise<Registered> => register(newcomer(), new Date());
const join = async (joining: Registered, { organisation: { id } }: Registered, role: Role): Promise<SignedIn> => {
  const sql = "insert into auth.membership (tenant_id, account_id, role) values ($1, $2, $3)";
  await systemQuery("test", sql, [id, joining.user.id, role]);
  return auth.switchTo({ organisationId: id }, await as(joining));
};
const owners = (id: string): Promise<number> => number("auth.membership where tenant_id = $1 and role = 'owner'", [id]);

describe("a mailed token that is shown many times at once", () => {
  test("verifies an address once", () =>
    inRounds(async () => {
      const token = await mailedToken((await person()).user.email);
      await oneOf(() => auth.verifyEmail({ token }));
    }));

  test("sets one password, that of who won", () =>
    inRounds(async () => {
      const { email } = (await person()).user;
      await auth.forgotPassword({ email });
      const token = await mailedToken(email);
      await oneOf((n) => auth.resetPassword({ token, password: `${other} ${n}` }));
      const fits = await outcomes(
        Array.from(
          { length: 8 },
          (_, n) => () => signIn({ email, password: `${other} ${n}` }, new Date(), `198.51.100.${n}`),
        ),
      );
      expect(wins(fits)).toBe(1);
    }));

  test("changes an address once, and gives it back once", () =>
    inRounds(async () => {
      const ada = await person();
      await verifyAddressOf(ada.user);
      const { email } = newcomer();
      await auth.changeEmail({ email }, await as(ada));
      const token = await mailedToken(email);
      await oneOf(() => auth.confirmEmail({ token }));
      const back = await mailedToken(ada.user.email);
      await oneOf(() => auth.revertEmail({ token: back }));
    }));

  test("takes a deleted account back once", () =>
    inRounds(async () => {
      const ada = await person();
      await auth.deleteAccount(await as(ada));
      const token = await mailedToken(ada.user.email);
      await oneOf(() => auth.restoreAccount({ token }));
      const told = "events.outbox where type = 'auth.user.restored' and aggregate_id = $1";
      expect(await number(told, [ada.user.id])).toBe(1);
    }));
});

describe("an invitation", () => {
  const invited = async (): Promise<{ owner: Registered; email: string; id: string; token: string }> => {
    const owner = await person();
    const { email } = newcomer();
    const { id } = await auth.inviteMember({ email, role: "member" }, await as(owner));
    return { owner, email, id, token: await mailedToken(email) };
  };

  test("that is accepted many times at once makes one member; of registrations with it there is one", () =>
    inRounds(async () => {
      const { owner, email, token } = await invited();
      const acts = Array.from({ length: 4 }, () => () => register({ email, password, invitation: token }, new Date()));
      expect(wins(await outcomes(acts))).toBe(1);
      const again = await person();
      await auth.inviteMember({ email: again.user.email, role: "viewer" }, await as(owner));
      const second = await mailedToken(again.user.email);
      const caller = await as(again);
      await oneOf(() => auth.acceptInvitation({ token: second }, caller), "invitation_not_found");
      expect(await number("auth.membership where tenant_id = $1", [owner.organisation.id])).toBe(3);
    }));

  test("that is revoked while it is accepted is one of the two, whichever comes first", async () => {
    for (const isFirst of ["revoked", "accepted"]) {
      const { owner, email, id, token } = await invited();
      const joining = await register({ ...newcomer(), email }, new Date());
      const [revoker, acceptor] = [await as(owner), await as(joining)];
      const acts = [
        () => reason(auth.revokeInvitation({ id }, revoker)),
        () => reason(auth.acceptInvitation({ token }, acceptor)),
      ];
      if (isFirst === "accepted") acts.reverse();
      // Told by whom, not in the order in which they end: whoever is refused has less left to do.
      const told = await duringChange((tx) => membershipLock(tx, owner.organisation.id), ...acts);
      expect(told).toEqual([undefined, "invitation_not_found"]);
      const members = await number("auth.membership where tenant_id = $1", [owner.organisation.id]);
      expect(members).toBe(isFirst === "revoked" ? 1 : 2);
    }
  });

  test("lets nobody into an organisation that is deleted meanwhile, nor is one made behind that", async () => {
    const { owner, email, token } = await invited();
    const joining = await register({ ...newcomer(), email }, new Date());
    const { id } = owner.organisation;
    const [caller, acceptor] = [await as(owner), await as(joining)];
    let told: string | undefined;
    const close = (): Promise<unknown> => auth.deleteOrganisation({ id }, caller);
    const accept = async (): Promise<void> => void (told = await reason(auth.acceptInvitation({ token }, acceptor)));
    await duringChange((tx) => membershipLock(tx, id), close, accept);
    expect(told).toBe("invitation_not_found");
    await auth.restoreOrganisation({ id }, caller);
    const again = await as(await signIn({ email: owner.user.email, password }, new Date(), here));
    const invite = (): Promise<unknown> => auth.inviteMember({ email: newcomer().email, role: "admin" }, again);
    const closeAgain = (): Promise<unknown> => auth.deleteOrganisation({ id }, again);
    await duringChange(
      (tx) => membershipLock(tx, id),
      closeAgain,
      async () => void (told = await reason(invite())),
    );
    expect(told).toBe("permission_denied");
    expect(await number("auth.membership where tenant_id = $1", [id])).toBe(1);
  });

  test("is not accepted by an account that moves away from the invited address meanwhile", async () => {
    const [owner, ada] = [await person(), await person()];
    const { id, email: from } = ada.user;
    await auth.inviteMember({ email: from, role: "member" }, await as(owner));
    const token = await mailedToken(from);
    const by = await as(ada);
    let told: string | undefined;
    await duringChange(
      async (tx) => {
        await accountLock(tx, id);
        expect(await accountSetEmail(tx, { id, from, email: newcomer().email })).toBe(true);
      },
      async () => void (told = await reason(auth.acceptInvitation({ token }, by))),
    );
    expect(told).toBe("invitation_not_found");
    expect(await number("auth.membership where tenant_id = $1", [owner.organisation.id])).toBe(1);
  });
});

test("who is removed while they switch into the organisation is not let in", async () => {
  const [owner, ada] = [await person(), await person()];
  const tenantId = owner.organisation.id;
  await join(ada, owner, "member");
  const by = await as(ada);
  let told: string | undefined;
  await duringChange(
    async (tx) => {
      await membershipLock(tx, tenantId);
      await membershipDelete(tx, { tenantId, accountId: ada.user.id });
    },
    async () => void (told = await reason(auth.switchTo({ organisationId: tenantId }, by))),
  );
  expect(told).toBe("organisation_not_found");
});

describe("an organisation keeps an owner", () => {
  test("when it is handed over to two at once: one is", () =>
    inRounds(async () => {
      const [ada, bob, eve] = [await person(), await person(), await person()];
      const { id } = ada.organisation;
      for (const one of [bob, eve]) await join(one, ada, "member");
      const caller = await as(ada);
      const ended = await outcomes(
        [bob, eve].map(
          ({ user }) =>
            () =>
              auth.transferOrganisation({ id, userId: user.id }, caller),
        ),
      );
      expect(wins(ended)).toBe(1);
      expect(await owners(id)).toBe(1);
    }));

  test("when its two owners leave, demote, or remove each other at once", () =>
    inRounds(async () => {
      const acts = [
        (_who: string, id: string) => (caller: Awaited<ReturnType<typeof as>>) =>
          auth.leaveOrganisation({ id }, caller),
        (who: string) => (caller: Awaited<ReturnType<typeof as>>) =>
          auth.changeMember({ userId: who, role: "viewer" }, caller),
        (who: string) => (caller: Awaited<ReturnType<typeof as>>) => auth.removeMember({ userId: who }, caller),
      ];
      for (const act of acts) {
        const [ada, bob] = [await person(), await person()];
        const { id } = ada.organisation;
        const there = await join(bob, ada, "owner");
        const callers = [await as(ada), await as(there)] as const;
        const ended = await outcomes([() => act(bob.user.id, id)(callers[0]), () => act(ada.user.id, id)(callers[1])]);
        expect(wins(ended)).toBe(1);
        expect(await owners(id)).toBe(1);
      }
    }));

  // In whichever order each names the two, or each would hold what the other waits for.
  test("who remove each other lock both accounts in one order", () =>
    inRounds(async () => {
      // Whoever removes or is removed, the account that is locked first is the one that sorts first.
      for (const doesSecondAct of [true, false]) {
        const [ada, bob] = [await person(), await person()];
        const there = await join(bob, ada, "owner");
        const [first = "", second = ""] = [ada.user.id, bob.user.id].toSorted();
        const actor = doesSecondAct ? second : first;
        const caller = await as(actor === ada.user.id ? ada : there);
        const removed = { userId: doesSecondAct ? first : second };
        const isFree = (): Promise<boolean> =>
          systemQuery("test", "select 1 from auth.account where id = $1 for no key update nowait", [second]).then(
            () => true,
            () => false,
          );
        let wasFree: boolean | undefined;
        let removal: Promise<unknown> | undefined;
        await whileUncommitted(
          async (tx) => void (await accountLock(tx, first)),
          async () => {
            removal = reason(auth.removeMember(removed, caller));
            await untilWaiting(1);
            wasFree = await isFree();
          },
        );
        expect(wasFree).toBe(true);
        expect(await removal).toBeUndefined();
      }
    }));

  test("when its two owners delete their accounts at once, or one while it is handed over to them", () =>
    inRounds(async () => {
      const [ada, bob, eve] = [await person(), await person(), await person()];
      const { id } = ada.organisation;
      await join(bob, ada, "owner");
      await join(eve, ada, "member");
      const callers = [await as(ada), await as(bob)] as const;
      const ended = await outcomes(callers.map((caller) => () => auth.deleteAccount(caller)));
      expect(ended.toSorted()).toEqual(["sole_owner", undefined]);
      expect(await owners(id)).toBe(1);

      const [carol, dan] = [await person(), await person()];
      await join(dan, carol, "admin");
      const [giver, taker] = [await as(carol), await as(dan)];
      const given = { id: carol.organisation.id, userId: dan.user.id };
      const both = await outcomes([() => auth.transferOrganisation(given, giver), () => auth.deleteAccount(taker)]);
      expect(wins(both)).toBe(1);
      expect(await owners(given.id)).toBe(1);
    }));
});

describe("a password that changes", () => {
  test("lets no sign-in with the one before be left, nor a session of another device that switches meanwhile", () =>
    inRounds(async () => {
      const ada = await person();
      const { email, id: accountId } = ada.user;
      const elsewhere = await signIn({ email, password }, new Date(), "198.51.100.1");
      const [caller, stolen] = [await as(ada), await as(elsewhere)];
      const { id: organisationId } = ada.organisation;
      // As often as it is let in: the change takes a while to hash, and the last moment is what counts.
      const switching = async (): Promise<void> => {
        for (let n = 0; n < 200; n++) if (await reason(auth.switchTo({ organisationId }, stolen))) return;
      };
      const acts = Array.from({ length: 6 }, (_, n) =>
        n % 2 === 0 ? () => signIn({ email, password }, new Date(), `198.51.100.${n}`) : switching,
      );
      const ended = await outcomes([
        () => auth.changePassword({ current: password, password: other }, caller),
        ...acts,
      ]);
      expect(ended[0]).toBeUndefined();
      expect(await liveSessions(accountId)).toBe(1);
    }));
});

describe("an address that its account moves away from", () => {
  test("is nobody else's from the moment of the change: a registration in between finds it taken", async () => {
    const ada = await person();
    const { id, email: from } = ada.user;
    let told: string | undefined;
    await duringChange(
      async (tx) => {
        await accountLock(tx, id);
        expect(await accountSetEmail(tx, { id, from, email: newcomer().email })).toBe(true);
        const { hash } = createOneTimeToken();
        const held = { accountId: id, purpose: "revert-email", hash, email: from, lifetimeSeconds: 600 } as const;
        await oneTimeTokenHold(tx, held, "keep");
      },
      async () => void (told = await reason(register({ ...newcomer(), email: from }, new Date()))),
    );
    expect(told).toBe("email_taken");
    expect(await number("auth.account where email = $1", [from])).toBe(0);
  });

  test("goes to one of two accounts that move to it at once, and the other is told that its link is not valid", () =>
    inRounds(async () => {
      const [ada, bob] = [await person(), await person()];
      const { email } = newcomer();
      const tokens: string[] = [];
      for (const one of [ada, bob]) {
        await auth.changeEmail({ email }, await as(one));
        tokens.push(await mailedToken(email));
      }
      const ended = await outcomes(tokens.map((token) => () => auth.confirmEmail({ token })));
      expect(ended.toSorted()).toEqual(["link_invalid", undefined]);
    }));
});

describe("a sign-in under way", () => {
  let acme: StartedProvider;
  let clients: OidcClients;
  beforeAll(async () => {
    acme = await startOpenIdProvider([redirectUriOf({ id: "acme" })]);
    clients = new OidcClients({ allowLoopback: true, providers: () => [provided("acme", acme.issuer)] });
  });
  afterAll(() => acme.close());

  test("waits for a second factor that is being added, and ends by it", async () => {
    const { user } = await person();
    const before = await liveSessions(user.id);
    let told: string | undefined;
    await duringChange(
      async (tx) => {
        await accountLock(tx, user.id);
        await tx.execute(
          "insert into auth.totp (account_id, secret_sealed, confirmed_at, last_step) values ($1, '', now(), 1)",
          [user.id],
        );
      },
      async () => void (told = await reason(signIn({ email: user.email, password }, new Date(), here))),
    );
    expect(told).toBe("invalid_credentials");
    expect(await liveSessions(user.id)).toBe(before);
  });

  test("waits for another password that is being set, and ends by it", async () => {
    const { user } = await person();
    const before = await liveSessions(user.id);
    let told: string | undefined;
    await duringChange(
      async (tx) => {
        const sql = "select password_hash as hash from auth.account where id = $1";
        const [{ hash: checkedHash } = { hash: "" }] = await tx.query<{ hash: string }>(sql, [user.id]);
        expect(await accountSetPassword(tx, { id: user.id, checkedHash, passwordHash: `${checkedHash}x` })).toBe(true);
      },
      async () => void (told = await reason(signIn({ email: user.email, password }, new Date(), here))),
    );
    expect(told).toBe("invalid_credentials");
    expect(await liveSessions(user.id)).toBe(before);
  });

  test("by an account elsewhere waits for that to be unlinked, and ends by it", async () => {
    const there = { sub: crypto.randomUUID(), email: newcomer().email, email_verified: true };
    const signInThere = async (): Promise<SignedIn> => {
      const { url, browser } = await beginOidcSignIn({ provider: "acme", browser: undefined }, new Date(), clients);
      const back = { url: await acme.visit(url, there), browser };
      return completeOidcSignIn(back, new Date(), { address: here, device: null }, clients);
    };
    const { user } = await signInThere();
    const before = await liveSessions(user.id);
    let told: string | undefined;
    await duringChange(
      async (tx) => {
        await accountLock(tx, user.id);
        const [identity] = await tx.query<{ id: string }>("select id from auth.identity where account_id = $1", [
          user.id,
        ]);
        await identityDelete(tx, { id: identity?.id ?? "", accountId: user.id });
      },
      async () => void (told = await reason(signInThere())),
    );
    expect(told).toBe("oidc_failed");
    expect(await liveSessions(user.id)).toBe(before);
  });
});
