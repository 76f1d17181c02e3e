// Whose a domain is, as a real name server says, and what becomes of it when it says so no more.
import { audit, auth } from "~encore/clients";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { systemQuery } from "../../db/tenant";
import { commonErrors } from "../../security/common-errors";
import { createCaller, registerCaller, type RegisteredCaller } from "../../testing";
import { txtLookups, type TxtLookups } from "../domains/dns";
import { DOMAINS_PER_ORGANISATION_MAX, verifyDomain } from "../domains/domains";
import { parseDomain, recordOf, shows } from "../domains/name";
import { recheckDomains } from "../domains/recheck";
import { startTextServer, type TextServer } from "./name-server";
import { mailsTo, verifyAddressOf } from "./mails";
import { reason } from "./people";

let server: TextServer;
let lookUp: TxtLookups["upkeep"];
let acme: RegisteredCaller;
let globex: RegisteredCaller;

beforeAll(async () => {
  server = await startTextServer();
  lookUp = txtLookups({ servers: [server.address], timeoutMs: 5_000 }).upkeep;
  acme = await registerCaller("Acme");
  globex = await registerCaller("Globex");
  for (const owner of [acme, globex]) await verifyAddressOf(owner);
});
afterAll(() => server.close());

let names = 0;
const file = crypto.randomUUID().slice(0, 8);
const newName = (): string => `d${++names}-${file}.example.com`;
interface Named {
  id: string;
  domain: string;
  record: { type: string; name: string; value: string };
}
/** Puts the record where the organisation is told to. */
const show = ({ record }: Named): void => {
  const there = server.zone.get(record.name);
  server.zone.set(record.name, [...(Array.isArray(there) ? there : []), record.value]);
};
const hide = ({ record }: Named): void => {
  const there = server.zone.get(record.name);
  server.zone.set(record.name, Array.isArray(there) ? there.filter((text) => text !== record.value) : []);
};
const verify = (by: RegisteredCaller, { id }: Named): Promise<unknown> => verifyDomain(by.principal, id, lookUp);
const verified = async (by: RegisteredCaller, name = newName()): Promise<Named> => {
  const domain = await auth.addDomain({ domain: name }, by);
  show(domain);
  await verify(by, domain);
  return domain;
};
const isVerified = async (by: RegisteredCaller, { id }: Named): Promise<boolean> =>
  (await auth.listDomains(by)).domains.some((domain) => domain.id === id && domain.verifiedAt !== undefined);
const eventsOf = (id: string): Promise<{ type: string }[]> =>
  systemQuery(
    "test",
    "select type from events.outbox where aggregate_type = 'domain' and aggregate_id = $1 order by id",
    [id],
  );
/** As if so much time had passed. */
const age = (domain: Named, column: string, by: string): Promise<unknown> =>
  systemQuery("test", `update auth.domain set ${column} = ${column} - $2::interval where id = $1`, [domain.id, by]);

describe("a domain", () => {
  test("is the organisation's once the record that it was told stands at the name server", async () => {
    const domain = await auth.addDomain({ domain: ` ${newName().toUpperCase()}. ` }, acme);
    expect(domain.record).toEqual({
      type: "TXT",
      name: `_groundwork-challenge.${domain.domain}`,
      value: expect.stringMatching(/^groundwork-domain-verification=[\w-]{43}$/),
    });
    expect(await reason(verify(acme, domain))).toBe("domain_unproven");
    server.zone.set(domain.record.name, ["v=spf1 -all", `${domain.record.value}x`, "x".repeat(600)]);
    expect(await reason(verify(acme, domain))).toBe("domain_unproven");
    show(domain);
    await verify(acme, domain);
    await verify(acme, domain);
    expect(await isVerified(acme, domain)).toBe(true);
    expect(await eventsOf(domain.id)).toEqual([{ type: "auth.domain.added" }, { type: "auth.domain.verified" }]);
    const { entries } = await audit.listEntries({}, acme);
    expect(entries.filter(({ target }) => target?.id === domain.id).map(({ action }) => action)).toEqual([
      "auth.domain.verified",
      "auth.domain.added",
    ]);
    await auth.removeDomain({ id: domain.id }, acme);
    expect(await isVerified(acme, domain)).toBe(false);
    expect(await reason(auth.removeDomain({ id: domain.id }, acme))).toBe("domain_not_found");
  });

  test("is not verified by a name server that is silent or broken, which is no wrong record either", async () => {
    const domain = await auth.addDomain({ domain: newName() }, acme);
    const impatient = txtLookups({ servers: [server.address], timeoutMs: 20, totalMs: 40 }).people;
    server.zone.set(domain.record.name, "silent");
    expect(await reason(verifyDomain(acme.principal, domain.id, impatient))).toBe("dns_unavailable");
    server.zone.set(domain.record.name, "broken");
    expect(await reason(verify(acme, domain))).toBe("dns_unavailable");
  });

  test("of one organisation is no other's while its record is there, and the other's once only theirs is", async () => {
    const ours = await verified(acme);
    const theirs = await auth.addDomain({ domain: ours.domain }, globex);
    expect(theirs.record.value).not.toBe(ours.record.value);
    // Our token does nothing for them.
    expect(await reason(verify(globex, theirs))).toBe("domain_unproven");
    show(theirs);
    expect(await reason(verify(globex, theirs))).toBe("domain_taken");
    expect(await isVerified(acme, ours)).toBe(true);
    hide(ours);
    await verify(globex, theirs);
    expect([await isVerified(acme, ours), await isVerified(globex, theirs)]).toEqual([false, true]);
    expect((await eventsOf(ours.id)).at(-1)).toEqual({ type: "auth.domain.lost" });
    show(ours);
    expect(await reason(verify(acme, ours))).toBe("domain_taken");
  });

  test("belongs to the organisation that named it, which names it once and for its owners", async () => {
    const domain = await auth.addDomain({ domain: newName() }, acme);
    expect(await reason(auth.addDomain({ domain: domain.domain }, acme))).toBe("domain_exists");
    expect(await reason(auth.removeDomain({ id: domain.id }, globex))).toBe("domain_not_found");
    expect(await reason(auth.verifyDomain({ id: domain.id }, globex))).toBe("domain_not_found");
    const admin = createCaller("admin", acme);
    expect((await auth.listDomains(admin)).domains.map(({ id }) => id)).toContain(domain.id);
    for (const act of [
      auth.addDomain({ domain: newName() }, admin),
      auth.verifyDomain({ id: domain.id }, admin),
      auth.removeDomain({ id: domain.id }, admin),
      auth.listDomains(createCaller("member", acme)),
    ])
      expect(await reason(act)).toBe("permission_denied");
  });

  test("is one of fifty at most", async () => {
    const { principal, ...owner } = await registerCaller();
    await systemQuery(
      "test",
      `insert into auth.domain (id, tenant_id, name, token)
       select gen_random_uuid(), $1, 'n' || n || '.example.com', repeat('t', 43) from generate_series(1, $2) n`,
      [principal.tenantId, DOMAINS_PER_ORGANISATION_MAX],
    );
    expect(await reason(auth.addDomain({ domain: newName() }, owner))).toBe("too_many_domains");
  });

  test("is spelled as in addresses, and nothing else is one", () => {
    expect(parseDomain("Bücher.Example.")).toBe("xn--bcher-kva.example");
    expect(parseDomain("eu.example.com")).toBe("eu.example.com");
    const none = [
      "",
      ".",
      "com",
      "a..com",
      "-a.com",
      "a-.com",
      "10.0.0.1",
      "[::1]",
      "a@b.com",
      "a b.com",
      "a.com/x",
      "*.a.com",
      "_x.a.com",
    ];
    const long = [`${"a".repeat(64)}.com`, `${"a.".repeat(120)}com`, "a".repeat(100_000)];
    for (const text of [...none, ...long]) expect({ text, name: parseDomain(text) }).toEqual({ text, name: undefined });
    const { value } = recordOf("a.com", "t");
    expect([shows([` ${value} `], "t"), shows([value], "u"), shows([value.slice(0, -1)], "t")]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

describe("looking again", () => {
  // Those of other tests are not due; those of other suites nobody looks for here.
  let ours: Named[];
  /** Whether the name servers above all domains answer. */
  let isAboveThere: boolean;
  let askedAbove: number;
  const recheck = async (): Promise<unknown> => {
    for (const domain of ours) await age(domain, "next_check_at", "2 days");
    askedAbove = 0;
    return recheckDomains((name) => {
      if (name === "com") {
        askedAbove++;
        return Promise.resolve(isAboveThere ? [] : undefined);
      }
      return ours.some(({ record }) => record.name === name) ? lookUp(name) : Promise.resolve(undefined);
    });
  };
  beforeEach(() => {
    ours = [];
    isAboveThere = false;
  });
  /** Subjects of what an organisation's owner was told of a domain, the oldest first. */
  const toldOf = async ({ domain }: Named, owner = acme): Promise<string[]> =>
    (await mailsTo(owner.email))
      .filter(({ text }) => text.includes(` ${domain} `) || text.startsWith(`${domain} `))
      .map(({ subject }) => subject)
      .toReversed();
  const [GONE, SILENT, LOST] = [
    "The record of a domain is missing",
    "The name servers of a domain do not answer",
    "Your organisation has a domain no more",
  ];

  test("takes a domain whose record was missing for three days, and not before", async () => {
    const [kept, lost] = [await verified(acme), await verified(acme)];
    ours = [kept, lost];
    hide(lost);
    await recheck();
    expect((await auth.listDomains(acme)).domains.find(({ id }) => id === lost.id)).toMatchObject({
      verifiedAt: expect.any(String),
      missingSince: expect.any(String),
    });
    await age(lost, "missing_since", "2 days 23 hours");
    await recheck();
    expect(await isVerified(acme, lost)).toBe(true);
    await age(lost, "missing_since", "1 hour");
    await recheck();
    expect([await isVerified(acme, kept), await isVerified(acme, lost)]).toEqual([true, false]);
    expect((await eventsOf(lost.id)).at(-1)).toEqual({ type: "auth.domain.lost" });
    // Once: it is no longer among those that are looked at.
    await recheck();
    expect((await eventsOf(lost.id)).filter(({ type }) => type === "auth.domain.lost")).toHaveLength(1);
    show(lost);
    await verify(acme, lost);
    expect(await isVerified(acme, lost)).toBe(true);
  });

  test("forgets that a record was missing when it is back", async () => {
    const domain = await verified(acme);
    ours = [domain];
    hide(domain);
    await recheck();
    await age(domain, "missing_since", "4 days");
    show(domain);
    await recheck();
    hide(domain);
    await recheck();
    expect(await isVerified(acme, domain)).toBe(true);
  });

  test("tells the owners when a record is missing, once for each time, and when the domain is lost or given up", async () => {
    const [domain, given, named] = [
      await verified(acme),
      await verified(acme),
      await auth.addDomain({ domain: newName() }, acme),
    ];
    ours = [domain];
    for (const expected of [[GONE], [GONE, GONE]]) {
      hide(domain);
      await recheck();
      await recheck();
      expect(await toldOf(domain)).toEqual(expected);
      show(domain);
      await recheck();
    }
    hide(domain);
    await recheck();
    await age(domain, "missing_since", "3 days");
    await recheck();
    expect(await toldOf(domain)).toEqual([GONE, GONE, GONE, LOST]);
    expect(await toldOf(domain, globex)).toEqual([]);
    for (const { id } of [given, named]) await auth.removeDomain({ id }, acme);
    expect([await toldOf(given), await toldOf(named)]).toEqual([[LOST], []]);
  });

  test("takes a domain whose own name servers have failed for two weeks, with a warning after a day", async () => {
    const domain = await verified(acme);
    ours = [domain];
    isAboveThere = true;
    const broken = (): unknown => server.zone.set(domain.record.name, "broken");
    broken();
    await recheck();
    expect(askedAbove).toBe(1);
    await age(domain, "unanswered_since", "23 hours");
    await recheck();
    expect(await toldOf(domain)).toEqual([]);
    await age(domain, "unanswered_since", "1 hour");
    await recheck();
    await recheck();
    expect(await toldOf(domain)).toEqual([SILENT]);
    // An answer without the record is another matter, of which they are told too; one with it ends both.
    server.zone.set(domain.record.name, []);
    await recheck();
    expect(await toldOf(domain)).toEqual([SILENT, GONE]);
    const since = "select unanswered_since as since from auth.domain where id = $1";
    expect(await systemQuery("test", since, [domain.id])).toEqual([{ since: null }]);
    show(domain);
    await recheck();
    broken();
    await recheck();
    await age(domain, "unanswered_since", "13 days 23 hours");
    await recheck();
    expect([await isVerified(acme, domain), await toldOf(domain)]).toEqual([true, [SILENT, GONE, SILENT]]);
    await age(domain, "unanswered_since", "1 hour");
    await recheck();
    // They have a week from the warning, however seldom somebody looked.
    expect([await isVerified(acme, domain), await toldOf(domain)]).toEqual([true, [SILENT, GONE, SILENT]]);
    await age(domain, "warned_at", "7 days");
    await recheck();
    expect([await isVerified(acme, domain), await toldOf(domain)]).toEqual([false, [SILENT, GONE, SILENT, LOST]]);
    expect((await eventsOf(domain.id)).at(-1)).toEqual({ type: "auth.domain.lost" });
    const { entries } = await audit.listEntries({ action: "auth.domain.lost" }, acme);
    expect(entries[0]).toMatchObject({ fields: { domain: domain.domain, reason: "unanswered" } });
    // Verified again, nothing of before counts.
    server.zone.set(domain.record.name, [domain.record.value]);
    await verify(acme, domain);
    broken();
    await recheck();
    expect(await isVerified(acme, domain)).toBe(true);
  });

  test("takes nothing while nobody answers, however long that is", async () => {
    const domain = await verified(acme);
    ours = [domain];
    server.zone.set(domain.record.name, "broken");
    await recheck();
    await age(domain, "checked_at", "30 days");
    await systemQuery("test", "update auth.domain set unanswered_since = now() - interval '30 days' where id = $1", [
      domain.id,
    ]);
    await recheck();
    expect((await auth.listDomains(acme)).domains.find(({ id }) => id === domain.id)).toMatchObject({
      verifiedAt: expect.any(String),
    });
    expect(await eventsOf(domain.id)).toHaveLength(2);
  });

  test("says nothing of a domain that it could not ask for, because our own turns are taken", async () => {
    const domain = await verified(acme);
    const refused = (name: string): Promise<string[] | undefined> =>
      name === domain.record.name
        ? Promise.reject(commonErrors.service_unavailable())
        : Promise.resolve(name === "com" ? [] : undefined);
    const since = "select unanswered_since as since, missing_since as missing from auth.domain where id = $1";
    await age(domain, "next_check_at", "2 days");
    await recheckDomains(refused);
    expect(await systemQuery("test", since, [domain.id])).toEqual([{ since: null, missing: null }]);
    // Its name servers' silence, meanwhile, is told.
    server.zone.set(domain.record.name, "broken");
    await age(domain, "next_check_at", "2 days");
    await recheckDomains((name) =>
      name === domain.record.name ? lookUp(name) : Promise.resolve(name === "com" ? [] : undefined),
    );
    expect(await systemQuery("test", since, [domain.id])).toEqual([{ since: expect.any(Date), missing: null }]);
  });

  test("ends with what failed on our side, which is no answer and no silence, once the others are noted", async () => {
    const [domain, other] = [await verified(acme), await verified(acme)];
    hide(other);
    for (const due of [domain, other]) await age(due, "next_check_at", "2 days");
    const failing: TxtLookups["upkeep"] = (name) => lookUp(name === domain.record.name ? (7 as never) : name);
    await expect(recheckDomains(failing)).rejects.toMatchObject({ errors: [expect.any(TypeError)] });
    const noted = "select unanswered_since as since, missing_since as missing from auth.domain where id = $1";
    expect(await systemQuery("test", noted, [domain.id])).toEqual([{ since: null, missing: null }]);
    expect(await systemQuery("test", noted, [other.id])).toEqual([{ since: null, missing: expect.any(Date) }]);
  });

  test("notes the others where one cannot be noted, and says so", async () => {
    const [first, other] = [await verified(acme), await verified(globex)];
    for (const domain of [first, other]) hide(domain);
    for (const domain of [first, other]) await age(domain, "next_check_at", domain === first ? "3 days" : "2 days");
    // It would be lost, but no event can name it: that is no UUID by RFC 9562.
    const unfit = "00000000-0000-0000-0000-000000000001";
    const makeUnfit = "update auth.domain set id = $2, missing_since = now() - interval '4 days' where id = $1";
    await systemQuery("test", makeUnfit, [first.id, unfit]);
    await expect(recheckDomains(lookUp)).rejects.toThrow(/^1 domains/);
    const missing = "select id from auth.domain where id = any($1) and missing_since > now() - interval '1 hour'";
    expect(await systemQuery("test", missing, [[unfit, other.id]])).toEqual([{ id: other.id }]);
    expect(await systemQuery("test", "delete from auth.domain where id = $1 returning 1", [unfit])).toHaveLength(1);
  });

  test("stops where all of a batch fails on our side, and keeps few of the errors", async () => {
    const sql = `insert into auth.domain (id, tenant_id, name, token, verified_at, next_check_at)
      select gen_random_uuid(), $1, 'b' || n || $2, repeat('t', 43), now(), now() - interval '2 years' from generate_series(1, 65) n`;
    await systemQuery("test", sql, [acme.principal.tenantId, `-${file}.example.com`]);
    const failing = vi.fn<TxtLookups["upkeep"]>().mockRejectedValue(new TypeError("ours"));
    const failed = await recheckDomains(failing).catch((error: unknown) => error as AggregateError);
    expect(failed).toMatchObject({ message: expect.stringMatching(/^64 domains/) as string });
    expect(failed).toMatchObject({ errors: Array.from({ length: 10 }, () => expect.any(TypeError) as TypeError) });
    expect(failing).toHaveBeenCalledTimes(64);
    await systemQuery("test", "delete from auth.domain where token = repeat('t', 43)", []);
  });

  test("asks for each domain once a day, and of two runs at once one asks", async () => {
    const domain = await verified(acme);
    ours = [domain];
    const before = server.asked();
    const only: TxtLookups["upkeep"] = (name) =>
      name === domain.record.name ? lookUp(name) : Promise.resolve(undefined);
    await recheckDomains(only);
    expect(server.asked()).toBe(before);
    await age(domain, "next_check_at", "2 days");
    await Promise.all([recheckDomains(only), recheckDomains(only)]);
    expect(server.asked()).toBe(before + 1);
  });
});
