// Who takes the audit log out is asked before it begins, and while it is written, whether they still may: a session, or a key, may
// have ended meanwhile. And no more of them are under way than there may be.
import { auth } from "~encore/clients";
import { PassThrough } from "node:stream";
import { describe, expect, onTestFinished, test } from "vitest";
import { identify } from "../../auth/__tests__/callers";
import { beginReading } from "../../db/acting";
import { systemQuery, withTenant } from "../../db/tenant";
import { reasonOf } from "../../security/errors";
import { principalFrom, type Principal } from "../../security/principal";
import { createCaller, registerCaller, type RegisteredCaller } from "../../testing";
import { defineAction } from "../action";
import { exportEntries } from "../export";
import { exportTurns } from "../export-turns";
import { record } from "../record";

const happened = defineAction("test.thing.happened", { count: "plain" });
/** More than two pages of the log: what puts a reader out while the first is read may come behind the look before the second. */
const ENTRIES = 1_010;

async function withEntries(): Promise<RegisteredCaller> {
  const owner = await registerCaller();
  await withTenant(owner.principal, async (tx) => {
    for (let count = 1; count <= ENTRIES; count++) await record(tx, happened, { fields: { count } });
  });
  return owner;
}

let longLog: Promise<RegisteredCaller> | undefined;

/** In an organisation whose log is long, which takes seconds to write: one for all, each of a session of their own. */
async function ownerWithEntries(): Promise<RegisteredCaller> {
  const owner = await (longLog ??= withEntries());
  const { accessToken } = await auth.login({ email: owner.email, password: owner.password });
  const authData = await identify(accessToken);
  return { ...owner, accessToken, authData, principal: principalFrom(authData) };
}

const refusal = async (act: () => Promise<unknown>): Promise<string | undefined> =>
  act().then(
    () => undefined,
    (error: unknown) => reasonOf(error),
  );

/** What was written, with what happens when the first page was. */
async function exported(reader: Principal, meanwhile: () => Promise<unknown>): Promise<string> {
  const reading = await beginReading(reader, "audit.read", 0);
  const out = new PassThrough({ highWaterMark: 1 });
  const writing = exportEntries(reader, out, reading);
  let written = "";
  const read = (async () => {
    for await (const part of out) {
      if (written === "") await meanwhile();
      written += String(part);
    }
  })();
  await writing;
  await read.catch(() => undefined);
  return written;
}

const isWhole = (written: string): boolean => written.includes('"lastHash"');

let machines = 0;
const newMachine = () => ({ name: `collector ${++machines}`, permissions: ["audit.read"] });

/** Everybody who may read the log, and what puts them out. */
const readers: Record<
  string,
  (owner: RegisteredCaller) => Promise<{ reader: Principal; putOut: () => Promise<unknown> }>
> = {
  "a person who signs out": (owner) =>
    Promise.resolve({ reader: owner.principal, putOut: () => auth.logout({}, owner) }),
  "a person who is demoted": (owner) =>
    Promise.resolve({
      reader: owner.principal,
      putOut: () => {
        const change = (role: string): Promise<unknown> =>
          systemQuery("test", "update auth.membership set role = $2 where account_id = $1", [
            owner.principal.subjectId,
            role,
          ]);
        onTestFinished(async () => void (await change("owner")));
        return change("member");
      },
    }),
  "a person whom the provider that vouched for them speaks for no more": (owner) =>
    Promise.resolve({
      reader: owner.principal,
      putOut: () =>
        systemQuery("test", "update auth.session set amr = '{sso}' where id = $1", [owner.principal.sessionId]),
    }),
  "a key that is revoked": async (owner) => {
    const { id, key } = await auth.createApiKey({ name: "collector" }, owner);
    return { reader: principalFrom(await identify(key)), putOut: () => auth.revokeApiKey({ id }, owner) };
  },
  "a machine whose key is revoked, and not its other one": async (owner) => {
    const machine = newMachine();
    const { id: servicePrincipalId } = await auth.createServicePrincipal(machine, owner);
    const { id, key } = await auth.createApiKey({ name: "one", servicePrincipalId }, owner);
    await auth.createApiKey({ name: "other", servicePrincipalId }, owner);
    return { reader: principalFrom(await identify(key)), putOut: () => auth.revokeApiKey({ id }, owner) };
  },
  "a machine that is disabled": async (owner) => {
    const machine = newMachine();
    const { id } = await auth.createServicePrincipal(machine, owner);
    const { key } = await auth.createApiKey({ name: "one", servicePrincipalId: id }, owner);
    const putOut = (): Promise<unknown> => auth.changeServicePrincipal({ id, disabled: true }, owner);
    return { reader: principalFrom(await identify(key)), putOut };
  },
};

describe("an export of the audit log", () => {
  test.each(Object.keys(readers))("of %s is cut off, without its last line, and none begins", async (who) => {
    const { reader, putOut } = await readers[who]!(await ownerWithEntries());
    expect(isWhole(await exported(reader, () => Promise.resolve()))).toBe(true);
    const written = await exported(reader, putOut);
    expect(written).toContain('"count":1}');
    expect(isWhole(written)).toBe(false);
    expect(await refusal(() => beginReading(reader, "audit.read"))).toMatch(/^(invalid_token|permission_denied)$/);
  });

  test("is not begun with a secret that was rotated since the gateway knew it, nor goes on, while the other secret does", async () => {
    const owner = await ownerWithEntries();
    const machine = newMachine();
    const { id: servicePrincipalId } = await auth.createServicePrincipal(machine, owner);
    for (const holder of [{}, { servicePrincipalId }]) {
      const { id, key } = await auth.createApiKey({ name: "one", ...holder }, owner);
      const first = principalFrom(await identify(key));
      const { key: second } = await auth.rotateApiKey({ id, overlapHours: 1 }, owner);
      expect(isWhole(await exported(first, () => Promise.resolve()))).toBe(true);
      await auth.rotateApiKey({ id, overlapHours: 1 }, owner);
      // The first is no longer the one before.
      expect(await refusal(() => beginReading(first, "audit.read"))).toBe("invalid_token");
      const reader = principalFrom(await identify(second));
      expect(isWhole(await exported(reader, () => auth.rotateApiKey({ id, overlapHours: 0 }, owner)))).toBe(false);
      expect(await refusal(() => beginReading(reader, "audit.read"))).toBe("invalid_token");
    }
  });

  // What another secret took the place of begins nothing at the gateway; here it is the one that had begun.
  test("goes on for a key that is rotated while its secret is good still, and no longer", async () => {
    const owner = await ownerWithEntries();
    const { id, key } = await auth.createApiKey({ name: "collector" }, owner);
    const reader = principalFrom(await identify(key));
    expect(isWhole(await exported(reader, () => auth.rotateApiKey({ id, overlapHours: 1 }, owner)))).toBe(true);
    expect(isWhole(await exported(reader, () => auth.rotateApiKey({ id, overlapHours: 0 }, owner)))).toBe(false);
  });

  test("is not begun by who never held the right, nor by somebody else's key", async () => {
    const [owner, stranger] = [await registerCaller(), await registerCaller()];
    const { key } = await auth.createApiKey({ name: "k", permissions: ["document.read"] }, owner);
    const reader = principalFrom(await identify(key));
    expect(await refusal(() => beginReading(reader, "audit.read"))).toBe("permission_denied");
    const elsewhere = { ...reader, tenantId: stranger.tenantId };
    expect(await refusal(() => beginReading(elsewhere, "document.read"))).toBe("invalid_token");
    expect(await refusal(() => beginReading(createCaller("owner").principal, "audit.read"))).toBe("invalid_token");
  });

  test("goes on for a machine whose gateway, of the version before, names no key, while it has one", async () => {
    const owner = await ownerWithEntries();
    const machine = newMachine();
    const { id: servicePrincipalId } = await auth.createServicePrincipal(machine, owner);
    const { id, key } = await auth.createApiKey({ name: "one", servicePrincipalId }, owner);
    const { keyId: _named, keyDigest: _shown, ...reader } = principalFrom(await identify(key));
    expect(isWhole(await exported(reader, () => Promise.resolve()))).toBe(true);
    expect(isWhole(await exported(reader, () => auth.revokeApiKey({ id }, owner)))).toBe(false);
    expect(await refusal(() => beginReading(reader, "audit.read"))).toBe("invalid_token");
  });

  test("waits its turn: so many of an organisation and in the process at once, and one that has ended makes room", async () => {
    const enter = exportTurns({ ofOne: 2, inAll: 4 });
    const [one, other, third, fourth] = [createCaller(), createCaller(), createCaller(), createCaller()];
    const leave = enter(one);
    enter(one);
    expect(await refusal(async () => Promise.resolve(enter(one)))).toBe("rate_limited");
    enter(other);
    enter(third);
    expect(await refusal(async () => Promise.resolve(enter(fourth)))).toBe("rate_limited");
    leave();
    enter(fourth);
  });

  test("leaves a quarter of the room for those who have none", async () => {
    const enter = exportTurns({ ofOne: 3, inAll: 8 });
    const [one, other, third, late] = [createCaller(), createCaller(), createCaller(), createCaller()];
    for (const who of [one, one, one, other, other]) enter(who);
    expect(await refusal(async () => Promise.resolve(enter(one)))).toBe("rate_limited");
    expect(await refusal(async () => Promise.resolve(enter(other)))).toBe("rate_limited");
    enter(third);
    expect(await refusal(async () => Promise.resolve(enter(third)))).toBe("rate_limited");
    enter(late);
  });
});
