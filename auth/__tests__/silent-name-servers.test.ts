// What organisations whose name servers stay silent cost everybody else who shows a domain, and the upkeep of domains.
import { auth } from "~encore/clients";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemQuery } from "../../db/tenant";
import { registerCaller, type RegisteredCaller } from "../../testing";
import { txtLookups } from "../domains/dns";
import { verifyDomain } from "../domains/domains";
import { recheckDomains } from "../domains/recheck";
import { startTextServer, type TextServer } from "./name-server";
import { reason } from "./people";

/** As long as a look may take, silent or not. */
const TOTAL_MS = 2_000;
let nowMs = 0;
let server: TextServer;
beforeEach(async () => (server = await startTextServer()));
afterEach(() => server.close());

const file = crypto.randomUUID().slice(0, 8);
let names = 0;
interface Named {
  id: string;
  record: { name: string; value: string };
}
async function named(owner: RegisteredCaller, answer: "silent" | "shown"): Promise<Named> {
  const domain = await auth.addDomain({ domain: `s${++names}-${file}.example.com` }, owner);
  server.zone.set(domain.record.name, answer === "silent" ? "silent" : [domain.record.value]);
  return domain;
}
const owners = (count: number): Promise<RegisteredCaller[]> =>
  Promise.all(Array.from({ length: count }, () => registerCaller()));
const made = (): ReturnType<typeof txtLookups> =>
  txtLookups({ servers: [server.address], timeoutMs: 2 * TOTAL_MS, totalMs: TOTAL_MS, nowMs: () => nowMs });

test("seven owners of silent name servers keep neither another owner nor the upkeep of domains from a look", async () => {
  const lookUps = made();
  const [good, ...silent] = await owners(8);
  const [own, kept] = [await named(good!, "shown"), await named(good!, "shown")];
  const domains = await Promise.all(silent.map((owner) => named(owner, "silent")));
  await verifyDomain(good!.principal, kept.id, lookUps.people);
  // Fourteen times each, as an owner may who has some domains and little patience.
  const hanging = silent.flatMap((owner, i) =>
    Array.from({ length: 14 }, () => reason(verifyDomain(owner.principal, domains[i]!.id, lookUps.people))),
  );
  await expect.poll(server.asked).toBeGreaterThanOrEqual(1 + silent.length);
  expect(await reason(verifyDomain(good!.principal, own.id, lookUps.people))).toBeUndefined();
  await systemQuery("test", "update auth.domain set next_check_at = now() - interval '2 days' where id = $1", [
    kept.id,
  ]);
  const only = (name: string): Promise<string[] | undefined> =>
    name === kept.record.name ? lookUps.upkeep(name) : Promise.resolve(undefined);
  expect(await recheckDomains(only)).toMatchObject({ shown: 1 });
  nowMs += TOTAL_MS;
  expect(new Set(await Promise.all(hanging))).toEqual(new Set(["dns_unavailable"]));
});

test("an organisation has two looks at once, and after a silence one", async () => {
  const { people } = made();
  const [owner] = await owners(1);
  const domains = await Promise.all(Array.from({ length: 4 }, () => named(owner!, "silent")));
  const all = Promise.all(domains.map(({ id }) => reason(verifyDomain(owner!.principal, id, people))));
  await expect.poll(server.asked).toBe(2);
  nowMs += TOTAL_MS;
  // Those behind are told when the first two are given up, and ask nobody.
  expect(await all).toEqual(Array.from({ length: 4 }, () => "dns_unavailable"));
  expect(server.asked()).toBe(2);
  const refused = (await verifyDomain(owner!.principal, domains[0]!.id, people).catch((e: unknown) => e)) as {
    details: unknown;
  };
  expect(refused.details).toMatchObject({ reason: "dns_unavailable", retryAfterSeconds: 1 });
  server.zone.set(domains[0]!.record.name, [domains[0]!.record.value]);
  nowMs += 1_000;
  expect(await reason(verifyDomain(owner!.principal, domains[0]!.id, people))).toBeUndefined();
  expect(server.asked()).toBe(3);
});
