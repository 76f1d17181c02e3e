// Webhooks that come in: what is taken, what is refused, and that each acts once.
import { createHmac } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { beforeEach, expect, test } from "vitest";
import { secrets, webhooks } from "~encore/clients";
import { newId } from "../../../db/ids";
import { systemQuery } from "../../../db/tenant";
import { reasonOf } from "../../../security/errors";
import { concurrent, type RegisteredCaller } from "../../../testing";
import { takeWebhook } from "../incoming";
import { eventTypes } from "../outgoing";
import { createSigningKeys, publicKeyOf, signatureHeaders } from "../signing";
import { SOURCES_MAX } from "../sources";
import type { Incoming } from "../verifying";
import { createOrganisation, runAttempts, send } from "./stage";

let owner: RegisteredCaller;
beforeEach(async () => {
  owner = await createOrganisation();
});

type Source = Awaited<ReturnType<typeof webhooks.createSource>>;
const shared = "a secret that is shared";
const create = (scheme: Source["scheme"], secret = shared): Promise<Source> =>
  webhooks.createSource({ name: scheme, scheme, secret }, owner);
const reason = (asked: Promise<unknown>): Promise<string | undefined> =>
  asked.then(
    () => "none",
    (error: unknown) => reasonOf(error),
  );
const events = (): Promise<{ payload: Record<string, unknown>; about: string }[]> =>
  systemQuery(
    "test",
    "select payload, aggregate_id as about from events.outbox where tenant_id = $1 and type = 'webhooks.message.received' order by position",
    [owner.tenantId],
  );

const now = (): number => Math.floor(Date.now() / 1000);
const github = (body: string, secret = shared, more: Record<string, string> = {}): Incoming => ({
  headers: { "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`, ...more },
  body: Buffer.from(body),
});
const stripe = (body: string, secret: string, at = now()): Incoming => ({
  headers: {
    "stripe-signature": `t=${at},v1=${createHmac("sha256", secret).update(`${at}.${body}`).digest("hex")}`,
  },
  body: Buffer.from(body),
});
function standard(body: string, secret: string, id = newId(), at = now()): Incoming {
  const signature = new Webhook(secret).sign(id, new Date(at * 1000), body);
  const headers = { "webhook-id": id, "webhook-timestamp": String(at), "webhook-signature": signature };
  return { headers, body: Buffer.from(body) };
}

test("what each scheme signs is an event of the organisation, once", async () => {
  const keys = createSigningKeys();
  const standardSource = await create("standard", keys.secret);
  const publicSource = await create("standard", publicKeyOf(keys));
  const stripeSource = await create("stripe", "whsec_of_a_stripe_endpoint");
  const githubSource = await create("github");
  const body = JSON.stringify({ id: "evt_1", type: "invoice.paid", data: { amount: 1 } });
  const id = newId();
  const byPublicKey = { headers: signatureHeaders([keys], { id, timestamp: now(), body }), body: Buffer.from(body) };
  const sent: [Source, Incoming][] = [
    [standardSource, standard(body, keys.secret, id)],
    [publicSource, byPublicKey],
    [stripeSource, stripe(body, "whsec_of_a_stripe_endpoint")],
    [githubSource, github(body, shared, { "x-github-event": "issues", "x-github-delivery": "d1" })],
  ];
  for (const [source, incoming] of sent) expect(await takeWebhook(source.id, incoming), source.scheme).toBe(true);
  // Sent again, by another attempt: signed anew where a time is signed, under another delivery's name where that is not.
  const again: [Source, Incoming][] = [
    [standardSource, standard(body, keys.secret, id, now() - 5)],
    [publicSource, byPublicKey],
    [stripeSource, stripe(body, "whsec_of_a_stripe_endpoint", now() - 5)],
    [githubSource, github(body, shared, { "x-github-delivery": "d2" })],
  ];
  for (const [source, incoming] of again) expect(await takeWebhook(source.id, incoming), source.scheme).toBe(false);
  const told = (source: Source, messageId: string, eventType = "invoice.paid"): unknown => ({
    payload: {
      ...{ sourceId: source.id, sourceName: source.name, scheme: source.scheme },
      ...{ messageId, eventType, body: JSON.parse(body) as unknown },
    },
    about: source.id,
  });
  expect(await events()).toEqual([
    told(standardSource, id),
    told(publicSource, id),
    told(stripeSource, "evt_1"),
    told(githubSource, "d1", "issues"),
  ]);
});

test("what its sender calls it is signed where a body says it, and can be stored", async () => {
  const secret = "whsec_of_a_stripe_endpoint";
  const source = await create("stripe", secret);
  const bodies = [
    { id: "evt_named", type: "invoice.paid" },
    { id: "evt_\u0000", type: `${"a".repeat(199)}🌍` },
    { id: "\ud83d", type: "x" },
  ];
  for (const body of bodies) {
    const { headers, body: bytes } = stripe(JSON.stringify(body), secret);
    expect(await takeWebhook(source.id, { headers: { ...headers, "x-github-event": "other" }, body: bytes })).toBe(
      true,
    );
  }
  const told = await events();
  expect(told.map(({ payload: { messageId, eventType } }) => [messageId, eventType])).toEqual([
    ["evt_named", "invoice.paid"],
    ["", `${"a".repeat(199)}\ufffd`],
    ["", "x"],
  ]);
});

test("of many that come at once one acts", async () => {
  const { id } = await create("github");
  const taken = await concurrent(8, () => takeWebhook(id, github("{}")));
  expect(taken.map((one) => (one.status === "fulfilled" ? one.value : one.reason)).sort()).toEqual([
    ...Array.from({ length: 7 }, () => false),
    true,
  ]);
  expect(await events()).toHaveLength(1);
});

test("whoever is refused hears the same, and leaves nothing", async () => {
  const keys = createSigningKeys();
  const [one, other] = [await create("github"), await create("standard", keys.secret)];
  const refused: [string, Incoming][] = [
    [newId(), github("{}")],
    ["none", github("{}")],
    [one.id, github("{}", "a secret of another one")],
    [one.id, { ...github("{}"), body: Buffer.from("{ }") }],
    [one.id, { headers: {}, body: Buffer.from("{}") }],
    [one.id, standard("{}", keys.secret)],
    [other.id, github("{}")],
    [other.id, standard("{}", keys.secret, newId(), now() - 330)],
    [other.id, standard("{}", keys.secret, newId(), now() + 330)],
  ];
  for (const [index, [id, incoming]] of refused.entries())
    await expect(takeWebhook(id, incoming), String(index)).rejects.toMatchObject({
      code: "not_found",
      message: "there is no such source, or the webhook is not signed as one of it is",
      details: { reason: "webhook_refused" },
    });
  expect(await events()).toEqual([]);
  await webhooks.removeSource({ id: one.id }, owner);
  expect(await reason(takeWebhook(one.id, github("{}")))).toBe("webhook_refused");
  expect((await secrets.list(owner)).secrets).toHaveLength(1);
});

test("while a secret is replaced both are taken, and the old one no longer than that", async () => {
  const { id } = await create("github");
  const second = "the second secret that is shared";
  const changed = await webhooks.updateSource({ id, secret: second, name: "other" }, owner);
  expect(changed).toMatchObject({ name: "other", previousSecretUntil: expect.any(String) as string });
  expect(await takeWebhook(id, github("1"))).toBe(true);
  expect(await takeWebhook(id, github("2", second))).toBe(true);
  await systemQuery("test", "update webhooks.source set previous_until = now() where id = $1", [id]);
  expect(await reason(takeWebhook(id, github("3")))).toBe("webhook_refused");
  await webhooks.updateSource({ id, secret: shared, overlapHours: 0 }, owner);
  expect(await reason(takeWebhook(id, github("4", second)))).toBe("webhook_refused");
  expect(await takeWebhook(id, github("5"))).toBe(true);
  expect(JSON.stringify([changed, await webhooks.listSources({}, owner)])).not.toMatch(/secret that is shared/);
});

test("what is no JSON is taken as it is; what is too deep, or holds too much, is refused by name", async () => {
  const { id } = await create("github");
  expect(await takeWebhook(id, github("payload=%7B%7D"))).toBe(true);
  expect((await events())[0]?.payload).toMatchObject({ body: "payload=%7B%7D", eventType: "", messageId: "" });
  for (const body of ["[".repeat(60_000) + "]".repeat(60_000), `[${"0,".repeat(20_001)}0]`])
    expect(await reason(takeWebhook(id, github(body))), body.slice(0, 10)).toBe("invalid_request");
  expect(await takeWebhook(id, github('{"a": "\\u0000b\\ud800", "type": "c\\u0000"}'))).toBe(true);
  expect((await events()).slice(1).map(({ payload }) => payload)).toMatchObject([
    { body: { a: "b\ufffd", type: "c" }, eventType: "c" },
  ]);
});

test("secrets are those of their scheme, and there are so many sources at most", async () => {
  const none: [Source["scheme"], string][] = [
    ["standard", shared],
    ["standard", "whsec_c2hvcnRzaG9ydA=="],
    ["standard", "whpk_c2hvcnRzaG9ydA=="],
    ["stripe", shared],
    ["github", "with ä and 16 more letters"],
  ];
  for (const [scheme, secret] of none) expect(await reason(create(scheme, secret)), secret).toBe("invalid_request");
  const { id } = await create("stripe", "whsec_of_a_stripe_endpoint");
  expect(await reason(webhooks.updateSource({ id, secret: shared }, owner))).toBe("invalid_request");
  for (let i = 1; i < SOURCES_MAX; i++) await create("github");
  expect(await reason(create("github"))).toBe("too_many_sources");
  const stranger = await createOrganisation();
  for (const ask of [
    () => webhooks.getSource({ id }, stranger),
    () => webhooks.updateSource({ id, name: "x" }, stranger),
    () => webhooks.removeSource({ id }, stranger),
    () => webhooks.getSource({ id: "x" }, owner),
  ])
    expect(await reason(ask())).toBe("source_not_found");
  const page = await webhooks.listSources({ limit: 3 }, owner);
  expect(page.sources).toHaveLength(3);
  expect((await webhooks.listSources({ cursor: page.next! }, owner)).sources.at(-1)).toMatchObject({
    id,
    path: `/webhooks/in/${id}`,
  });
});

test("what came in does not go out: an endpoint that leads back here would send it around for ever", async () => {
  await webhooks.createEndpoint({ url: "https://hooks.example.com/" }, owner);
  await send(owner.tenantId, { type: "webhooks.message.received" });
  expect(await runAttempts(owner.tenantId)).toEqual([]);
  expect(eventTypes.has("webhooks.message.received")).toBe(false);
});
