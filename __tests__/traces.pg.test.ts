// Nothing of an organisation, an account or the installation changes without a trace: an event for whoever lives by it, and an
// entry in a log for whoever asks later who did so. Each request and each command that changes something is done once, with
// what it leaves beside it. The last test holds the list to the sources: to the endpoints, to every event of the catalogue and
// to every action that is declared, so that a new one is done here too. (ASVS 5.0 16.2.1; issue lists of those who forgot.)
import { auth, secrets } from "~encore/clients";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { Secret, TOTP, URI } from "otpauth";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Authenticator } from "../auth/__tests__/authenticator";
import { as } from "../auth/__tests__/callers";
import { mailedToken, verifyAddressOf } from "../auth/__tests__/mails";
import { provided } from "../auth/__tests__/oidc-providers";
import { startOpenIdProvider, type Person, type StartedProvider } from "../auth/__tests__/openid-provider";
import { clients as ofOrganisations, usual } from "../auth/__tests__/organisation-providers";
import { here, newcomer, password } from "../auth/__tests__/people";
import { recordRefusals } from "../auth/__tests__/staff";
import { verifyDomain } from "../auth/domains/domains";
import { setIdentityProvider } from "../auth/identity-provider";
import {
  listSigningKeys,
  retireMasterKeyByCommand,
  revokeSigningKeyByCommand,
  rotateSigningKeysByCommand,
} from "../auth/key-commands";
import { beginLink, completeLink } from "../auth/oidc/identities";
import { OidcClients } from "../auth/oidc/providers";
import { beginOidcSignIn, completeOidcSignIn } from "../auth/oidc/sign-in";
import { redirectUriOf } from "../auth/oidc/state";
import { endSessionsByCommand } from "../auth/operators/end-sessions";
import { addOperator, removeOperator, resetOperator } from "../auth/operators/operators";
import { beginSetup, completeSetup, readOperatorToken, signInOperator } from "../auth/operators/sign-in";
import { stepUpOperator } from "../auth/operators/sign-in";
import { beginExport, writeExport } from "../auth/organisation-export";
import { refreshSession, signIn, type SignedIn } from "../auth/sessions";
import { purgeEnded } from "../auth/upkeep";
import { ownerPool } from "../db/__tests__/owner";
import { systemQuery } from "../db/tenant";
import * as catalogue from "../events/catalog/auth";
import { callerFrom, type Caller } from "../security/principal";
import { registerCaller, type RegisteredCaller } from "../testing";
import { both, change, changesByCommand, changesOfSessions, done, seen, traceless, type Traces } from "./traces";

const root = join(import.meta.dirname, "..");
type Acting = Awaited<ReturnType<typeof as>>;
const callerOf = async (signedIn: Pick<SignedIn, "accessToken">): Promise<Caller> =>
  callerFrom((await as(signedIn)).authData);
const signInAgain = async ({ email }: { email: string }, with_ = password): Promise<Acting> =>
  as(await signIn({ email, password: with_ }, new Date(), here));
const past = (table: string, id: string): Promise<unknown> =>
  systemQuery("test", `update auth.${table} set purge_at = now() - interval '1 second' where id = $1`, [id]);

let acme: StartedProvider;
let clients: OidcClients;
beforeAll(async () => {
  acme = await startOpenIdProvider([redirectUriOf({ id: "acme" })]);
  clients = new OidcClients({
    timeoutMs: 10_000,
    allowLoopback: true,
    providers: () => [provided("acme", acme.issuer)],
  });
});
afterAll(() => acme.close());

describe("an account's", () => {
  test("life", async () => {
    const person = newcomer();
    const registered = both("auth.organisation.created", "auth.user.registered");
    const ada = await change("auth.register", { ...registered, entries: ["auth.organisation.created"] }, () =>
      auth.register(person),
    );
    const { id } = ada.organisation!;
    await change("auth.verifyEmail", both("auth.email.verified"), async () =>
      auth.verifyEmail({ token: await mailedToken(person.email) }),
    );
    await changesOfSessions(person, await as(ada));
    await change("auth.changePassword", both("auth.password.changed"), async () =>
      auth.changePassword({ current: password, password: `another ${password}` }, await as(ada)),
    );
    await auth.forgotPassword({ email: person.email });
    await change("auth.resetPassword", both("auth.password.reset"), async () =>
      auth.resetPassword({ token: await mailedToken(person.email), password }),
    );
    const moved = newcomer();
    await auth.changeEmail({ email: moved.email }, await signInAgain(person));
    await change("auth.confirmEmail", both("auth.email.changed"), async () =>
      auth.confirmEmail({ token: await mailedToken(moved.email) }),
    );
    await change("auth.revertEmail", both("auth.email.reverted"), async () =>
      auth.revertEmail({ token: await mailedToken(person.email) }),
    );
    // Its password went with the address: the mails of that are there, and this one is newer.
    await mailedToken(person.email);
    await auth.forgotPassword({ email: person.email });
    await auth.resetPassword({ token: await mailedToken(person.email), password });
    const closing: Traces = {
      events: ["auth.user.deletion-scheduled", "auth.organisation.deletion-scheduled"],
      entries: ["auth.account.deletion_scheduled", "auth.organisation.deletion_scheduled"],
    };
    await change("auth.deleteAccount", closing, async () => auth.deleteAccount(await signInAgain(person)));
    const restored: Traces = { events: ["auth.user.restored"], entries: ["auth.account.restored"] };
    await change("auth.restoreAccount", restored, async () =>
      auth.restoreAccount({ token: await mailedToken(person.email) }),
    );
    await change("auth.restoreOrganisation", both("auth.organisation.restored"), async () =>
      auth.restoreOrganisation({ id }, await signInAgain(person)),
    );
    await auth.deleteAccount(await signInAgain(person));
    await past("account", ada.user.id);
    await past("organisation", id);
    await change("upkeep", { events: ["auth.organisation.deleted", "auth.user.deleted"] }, () => purgeEnded());
  });

  test("second factors", async () => {
    const ada = await registerCaller();
    // With its recovery codes; new ones are told of by themselves.
    const added = both("auth.factor.added");
    const app = URI.parse((await auth.beginTotp(ada)).uri) as TOTP;
    const now = Date.now();
    const { recoveryCodes = [] } = await change("auth.confirmTotp", added, () =>
      auth.confirmTotp({ code: app.generate({ timestamp: now - 30_000 }) }, ada),
    );
    await change("auth.stepUp", both("auth.recovery-code.used"), () =>
      auth.stepUp({ recoveryCode: recoveryCodes[0]! }, ada),
    );
    await change("auth.replaceRecoveryCodes", both("auth.recovery-codes.created"), () =>
      auth.replaceRecoveryCodes(ada),
    );
    await change("auth.removeTotp", both("auth.factor.removed"), () => auth.removeTotp(ada));
    const { challenge, options } = await auth.beginPasskey(ada);
    const attestation = new Authenticator().create(options);
    const { id } = await change("auth.addPasskey", added, () =>
      auth.addPasskey({ challenge, name: "Telephone", attestation }, ada),
    );
    await change("auth.removePasskey", both("auth.factor.removed"), () => auth.removePasskey({ id }, ada));
  });

  test("accounts at providers", async () => {
    const ada = await auth.register(newcomer());
    const person: Person = { sub: "linked-by-hand", email: ada.user.email, email_verified: false };
    const caller = await callerOf(ada);
    const begun = await beginLink(caller, { provider: "acme", browser: undefined }, new Date(), clients);
    const back = { url: await acme.visit(begun.url, person), browser: begun.browser };
    const { id } = await change("auth.linkIdentity", both("auth.identity.linked"), () =>
      completeLink(caller, back, new Date(), clients),
    );
    await change("auth.unlinkIdentity", both("auth.identity.unlinked"), async () =>
      auth.unlinkIdentity({ id }, await as(ada)),
    );
  });

  test("refresh token that comes back long after it was used", async () => {
    const ada = await auth.register(newcomer());
    await refreshSession(ada.refreshToken, new Date(), here);
    await systemQuery(
      "test",
      "update auth.session set rotated_at = array(select at - interval '1 hour' from unnest(rotated_at) at) where account_id = $1",
      [ada.user.id],
    );
    await change("auth.refresh", both("auth.session.compromised"), () =>
      refreshSession(ada.refreshToken, new Date(), here).catch(() => undefined),
    );
  });
});

describe("an organisation's", () => {
  let owner: RegisteredCaller;
  let id: string;
  beforeAll(async () => {
    owner = await registerCaller();
    id = owner.tenantId;
    await verifyAddressOf(owner);
  });

  test("name, export and end", async () => {
    const other = await auth.register(newcomer());
    await change("auth.createOrganisation", both("auth.organisation.created"), async () =>
      auth.createOrganisation({ name: "Second" }, await as(other)),
    );
    await change("auth.renameOrganisation", both("auth.organisation.renamed"), () =>
      auth.renameOrganisation({ id, name: "New" }, owner),
    );
    const exported: Traces = {
      events: ["auth.organisation.export-started"],
      entries: ["auth.organisation.export_started", "auth.organisation.export_completed"],
    };
    await change("auth.exportOrganisation", exported, async () => {
      await beginExport(owner.principal, id);
      const out = new PassThrough();
      out.resume();
      await writeExport(owner.principal, out, new Date(), { reading: { mayGoOn: () => Promise.resolve(true) } });
    });
    await change("auth.deleteOrganisation", both("auth.organisation.deletion-scheduled"), async () =>
      auth.deleteOrganisation({ id: other.organisation!.id }, await as(other)),
    );
  });

  test("roles and people", async () => {
    const { id: roleId } = await change("auth.createRole", both("auth.role.created"), () =>
      auth.createRole({ name: "readers", permissions: ["document.read"] }, owner),
    );
    await change("auth.changeRole", both("auth.role.changed"), () =>
      auth.changeRole({ id: roleId, permissions: ["document.read", "member.read"] }, owner),
    );
    await change("auth.deleteRole", both("auth.role.deleted"), () => auth.deleteRole({ id: roleId }, owner));
    const [bob, eve] = [await auth.register(newcomer()), newcomer()];
    const invited = await change("auth.inviteMember", both("auth.member.invited"), () =>
      auth.inviteMember({ email: eve.email, role: "viewer" }, owner),
    );
    await change("auth.revokeInvitation", both("auth.invitation.revoked"), () =>
      auth.revokeInvitation({ id: invited.id }, owner),
    );
    await auth.inviteMember({ email: bob.user.email, role: "viewer" }, owner);
    await change("auth.acceptInvitation", both("auth.member.joined"), async () =>
      auth.acceptInvitation({ token: await mailedToken(bob.user.email) }, await as(bob)),
    );
    const userId = bob.user.id;
    await change("auth.changeMember", both("auth.member.role-changed"), () =>
      auth.changeMember({ userId, role: "admin" }, owner),
    );
    const left: Traces = { events: ["auth.member.removed"], entries: ["auth.member.left"] };
    await change("auth.leaveOrganisation", left, async () =>
      auth.leaveOrganisation({ id }, await as(await auth.switchTo({ organisationId: id }, await as(bob)))),
    );
    await auth.inviteMember({ email: bob.user.email, role: "viewer" }, owner);
    await auth.acceptInvitation({ token: await mailedToken(bob.user.email) }, await as(bob));
    await change("auth.removeMember", both("auth.member.removed"), () => auth.removeMember({ userId }, owner));

    const [first, heir] = [await registerCaller(), await auth.register(newcomer())];
    await auth.inviteMember({ email: heir.user.email, role: "member" }, first);
    await auth.acceptInvitation({ token: await mailedToken(heir.user.email) }, await as(heir));
    const handed = "auth.member.role-changed";
    await change("auth.transferOrganisation", both(handed, handed), () =>
      auth.transferOrganisation({ id: first.tenantId, userId: heir.user.id }, first),
    );
  });

  test("keys, machines and secrets", async () => {
    const { id: keyId } = await change("auth.createApiKey", both("auth.api-key.created"), () =>
      auth.createApiKey({ name: "ci" }, owner),
    );
    await change("auth.rotateApiKey", both("auth.api-key.rotated"), () => auth.rotateApiKey({ id: keyId }, owner));
    await change("auth.revokeApiKey", both("auth.api-key.revoked"), () => auth.revokeApiKey({ id: keyId }, owner));
    const { id: machine } = await change("auth.createServicePrincipal", both("auth.service-principal.created"), () =>
      auth.createServicePrincipal({ name: "ci", permissions: ["document.read"] }, owner),
    );
    await change("auth.changeServicePrincipal", both("auth.service-principal.changed"), () =>
      auth.changeServicePrincipal({ id: machine, disabled: true }, owner),
    );
    await change("auth.deleteServicePrincipal", both("auth.service-principal.deleted"), () =>
      auth.deleteServicePrincipal({ id: machine }, owner),
    );
    // No event: nobody but the organisation itself lives by what it keeps secret.
    await change("secrets.put", { entries: ["secrets.secret.stored"] }, () =>
      secrets.put({ name: "smtp", value: "a value" }, owner),
    );
    await change("secrets.rotate", { entries: ["secrets.key.rotated"] }, () => secrets.rotate(owner));
    await change("secrets.remove", { entries: ["secrets.secret.removed"] }, () =>
      secrets.remove({ name: "smtp" }, owner),
    );
  });

  test("domains and provider", async () => {
    const domain = `${crypto.randomUUID()}.example.com`;
    const add = (by: RegisteredCaller) => auth.addDomain({ domain }, by);
    const { id: domainId, record } = await change("auth.addDomain", both("auth.domain.added"), () => add(owner));
    await change("auth.verifyDomain", both("auth.domain.verified"), () =>
      verifyDomain(owner.principal, domainId, () => Promise.resolve([record.value])),
    );
    const given = { ...usual, issuer: acme.issuer };
    const set: Traces = {
      events: ["auth.identity-provider.changed"],
      entries: ["auth.identity_provider.changed", "secrets.secret.stored"],
    };
    const { id: providerId } = await change("auth.setIdentityProvider", set, () =>
      setIdentityProvider(owner.principal, given, ofOrganisations),
    );
    const own = await startOpenIdProvider([redirectUriOf({ id: providerId })]);
    try {
      await setIdentityProvider(owner.principal, { ...given, issuer: own.issuer }, ofOrganisations);
      const begun = await beginOidcSignIn({ provider: providerId, browser: undefined }, new Date(), ofOrganisations);
      const url = await own.visit(begun.url, { sub: "new", email: `new@${domain}` });
      const joined: Traces = {
        events: ["auth.identity.linked", "auth.member.provisioned"],
        entries: ["auth.identity.linked", "auth.member.provisioned"],
      };
      await change("auth.completeOidc", joined, () =>
        completeOidcSignIn(
          { url, browser: begun.browser },
          new Date(),
          { address: here, device: null },
          ofOrganisations,
        ),
      );
    } finally {
      await own.close();
    }
    const gone: Traces = {
      events: ["auth.identity-provider.removed"],
      entries: ["auth.identity_provider.removed", "secrets.secret.removed"],
    };
    await change("auth.removeIdentityProvider", gone, () => auth.removeIdentityProvider(owner));
    const other = await registerCaller();
    await verifyAddressOf(other);
    const taken = await add(other);
    await change("auth.verifyDomain", both("auth.domain.lost", "auth.domain.verified"), () =>
      verifyDomain(other.principal, taken.id, () => Promise.resolve([taken.record.value])),
    );
    await change("auth.removeDomain", both("auth.domain.removed"), () => auth.removeDomain({ id: domainId }, owner));
  });
});

test("what the installation's staff do, and what is done to it by command, is in its own log", async () => {
  const email = `${crypto.randomUUID()}@example.com`;
  const written = (action: string): Traces => ({ entries: [action] });
  const address = "203.0.113.20";
  let nowMs = Date.now();
  const set = async ({
    setupToken,
  }: {
    setupToken: string;
  }): Promise<() => { email: string; password: string; code: string }> => {
    const { secret } = await beginSetup({ setupToken, password }, address);
    const app = new TOTP({ secret: Secret.fromBase32(secret) });
    const code = (): string => app.generate({ timestamp: (nowMs += 60_000) });
    await change("auth.confirmOperatorSetup", written("operator.account.activated"), () =>
      completeSetup({ setupToken, code: code() }, new Date(nowMs), address),
    );
    return () => ({ email, password, code: code() });
  };
  const credentials = await set(
    await change("operator add", written("operator.account.added"), () => addOperator(email)),
  );
  const { token } = await change("auth.operatorLogin", written("operator.session.opened"), () => {
    const right = credentials();
    return signInOperator(right, new Date(nowMs), address);
  });
  await change("auth.operatorLogin", written("operator.session.refused"), () =>
    signInOperator({ ...credentials(), code: "000000" }, new Date(nowMs), address).catch(recordRefusals),
  );
  const staff = { authData: await readOperatorToken(token) };
  await change("auth.operatorStepUp", written("operator.session.stepped_up"), () =>
    stepUpOperator(callerFrom(staff.authData), credentials(), new Date(nowMs), address),
  );
  const ada = await registerCaller();
  const looked: Traces = { entries: ["operator.organisation.looked", "operator.organisation.searched"] };
  await change("auth.operatorOrganisations", looked, () =>
    auth.operatorOrganisations({ email: ada.email, reason: "ticket 4711: cannot sign in" }, staff),
  );
  const flag = { id: ada.authData.tenantId ?? "", flag: "sqlSpans", reason: "ticket 4711: slow pages" };
  await change("auth.operatorSetFlag", { entries: ["operator.flag.overridden", "operator.organisation.looked"] }, () =>
    auth.operatorSetFlag({ ...flag, value: "off" }, staff),
  );
  await change("auth.operatorFlags", written("operator.flag.listed"), () => auth.operatorFlags(staff));
  await change(
    "auth.operatorRemoveFlag",
    { entries: ["operator.flag.override_removed", "operator.organisation.looked"] },
    () => auth.operatorRemoveFlag(flag, staff),
  );
  await change("sessions end", written("operator.sessions.ended"), () => endSessionsByCommand(ada.email));
  await change("operator reset", written("operator.account.reset"), () => resetOperator(email));
  await change("operator remove", written("operator.account.removed"), () => removeOperator(email));
  await change("keys rotate", written("operator.signing_key.rotated"), () => rotateSigningKeysByCommand());
  const [{ kid } = { kid: "" }] = await listSigningKeys();
  await change("keys revoke", written("operator.signing_key.revoked"), () => revokeSigningKeyByCommand(kid));
  await ownerPool().query("insert into db.master_key (id) values ('\\x00000001')");
  await change("master-keys retire", written("operator.master_key.retired"), () =>
    retireMasterKeyByCommand("00000001", []),
  );
  await changesByCommand(ada);
});

test("all of it is done here: every endpoint, command, event and action that there is", () => {
  const page = readFileSync(join(root, "docs/permissions.md"), "utf8");
  const changing = [...page.matchAll(/^\| `(?:POST|PUT|PATCH|DELETE) [^`]*` \| `((?:auth|secrets)\.\w+)` \|/gm)];
  const endpoints = changing.map(([, name = ""]) => name);
  expect(endpoints.length).toBeGreaterThan(60);
  expect(endpoints.filter((name) => !done.has(name) && traceless[name] === undefined)).toEqual([]);
  expect(Object.keys(traceless).filter((name) => done.has(name) || !endpoints.includes(name))).toEqual([]);
  const admin = readFileSync(join(root, "scripts/admin.ts"), "utf8");
  const commands = [...admin.matchAll(/^ {2}"([a-z-]+ [a-z]+)": \{/gm)].map(([, name = ""]) => name);
  expect(commands.length).toBeGreaterThan(7);
  expect(commands.filter((name) => !done.has(name) && !/ (?:list|verify)$/.test(name))).toEqual([]);
  expect(
    Object.values(catalogue)
      .map(({ type }) => type)
      .filter((type) => !seen.events.has(type)),
  ).toEqual([]);
  const sources = ["auth", "secrets", "audit", "flags"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts") && !path.includes("__tests__"))
      .map((path) => readFileSync(join(root, folder, path), "utf8")),
  );
  const actions = sources.flatMap((source) =>
    [...source.matchAll(/defineAction\("([^"]+)"/g)].map(([, name = ""]) => name),
  );
  expect(actions.length).toBeGreaterThan(40);
  expect(actions.filter((name) => !seen.entries.has(name))).toEqual([]);
});
