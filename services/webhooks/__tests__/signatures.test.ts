// Signatures out and in, against the public library of Standard Webhooks and against what Stripe and GitHub write down.
import { createHmac, verify } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import { createSigningKeys, publicKeyFrom, publicKeyOf, signatureHeaders, signedText } from "../signing";
import { verifyIncoming, type Scheme } from "../verifying";

const now = Math.floor(Date.now() / 1000);
const body = JSON.stringify({ type: "assets.asset.uploaded.v1", data: { name: "ä 🌍" } });
const parts = { id: "0193a1c0-0000-7000-8000-000000000001", timestamp: now, body };
const accepts = (scheme: Scheme, secrets: string[], headers: Record<string, string>, text = body, at = now) =>
  verifyIncoming(scheme, secrets, { headers, body: Buffer.from(text) }, at);

test("the public library verifies ours by each secret of a rotation, and by no other", () => {
  const [present, before, stranger] = [createSigningKeys(), createSigningKeys(), createSigningKeys()];
  const headers = signatureHeaders([present, before], parts);
  for (const { secret } of [present, before])
    expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body));
  expect(() => new Webhook(stranger.secret).verify(body, headers)).toThrow();
  expect(() => new Webhook(present.secret).verify(`${body} `, headers)).toThrow();
});

test("the public key verifies ours, and the whole text is signed", () => {
  const keys = createSigningKeys();
  const { "webhook-signature": signatures = "" } = signatureHeaders([keys], parts);
  const [, second = ""] = signatures.split(" ");
  expect(second).toMatch(/^v1a,/);
  const signature = Buffer.from(second.slice(4), "base64");
  const isOurs = (text: string): boolean =>
    verify(null, Buffer.from(text), publicKeyFrom(publicKeyOf(keys)), signature);
  expect(isOurs(signedText(parts))).toBe(true);
  for (const changed of [{ id: "x" }, { timestamp: now + 1 }, { body: "{}" }])
    expect(isOurs(signedText({ ...parts, ...changed }))).toBe(false);
});

test("of signatures by keys a few are tried, each of which goes through the whole text", () => {
  const keys = createSigningKeys();
  const { "webhook-signature": signatures = "", ...headers } = signatureHeaders([keys], parts);
  const good = signatures.split(" ")[1] ?? "";
  const bad = `v1a,${Buffer.alloc(64).toString("base64")}`;
  const behind = (many: number): Record<string, string> => ({
    ...headers,
    "webhook-signature": [...Array.from({ length: many }, () => bad), good].join(" "),
  });
  expect(accepts("standard", [publicKeyOf(keys)], behind(3))).toBeDefined();
  expect(accepts("standard", [publicKeyOf(keys)], behind(4))).toBeUndefined();
});

test("what the public library signs is taken, by secret or public key; stale, changed, cut and foreign ones are not", () => {
  const keys = createSigningKeys();
  const { secret } = keys;
  const signature = new Webhook(secret).sign(parts.id, new Date(now * 1000), body);
  const headers = { "webhook-id": parts.id, "webhook-timestamp": String(now), "webhook-signature": signature };
  const verified = { dedupeKey: `id:${parts.id}`, messageId: parts.id };
  expect(accepts("standard", [secret], headers)).toEqual(verified);
  expect(accepts("standard", [createSigningKeys().secret, secret], headers)).toEqual(verified);
  expect(accepts("standard", [publicKeyOf(keys)], signatureHeaders([keys], parts))).toEqual(verified);
  expect(accepts("standard", [secret], headers, body, now + 300)).toEqual(verified);
  expect(accepts("standard", [secret], headers, body, now + 301)).toBeUndefined();
  expect(accepts("standard", [secret], headers, body, now - 301)).toBeUndefined();
  expect(accepts("standard", [createSigningKeys().secret], headers)).toBeUndefined();
  expect(accepts("standard", [publicKeyOf(createSigningKeys())], signatureHeaders([keys], parts))).toBeUndefined();
  expect(accepts("standard", [secret], headers, body.slice(0, -1))).toBeUndefined();
  for (const name of Object.keys(headers)) {
    expect(accepts("standard", [secret], { ...headers, [name]: "" }), name).toBeUndefined();
    expect(accepts("standard", [secret], { ...headers, [name]: "1" }), name).toBeUndefined();
  }
});

test("Stripe's scheme: the time is signed and judged, any of its signatures may fit, its event is known by its id", () => {
  const event = JSON.stringify({ id: "evt_1", object: "event" });
  const signed = (secret: string, at = now): string =>
    createHmac("sha256", secret).update(`${at}.${event}`).digest("hex");
  const header = (text: string): Record<string, string> => ({ "stripe-signature": text });
  const verified = { dedupeKey: "id:evt_1", messageId: "evt_1" };
  expect(accepts("stripe", ["whsec_a"], header(`t=${now},v1=${signed("whsec_a")}`), event)).toEqual(verified);
  const two = `t=${now},v1=${"0".repeat(64)},v1=${signed("whsec_a")},v0=x`;
  expect(accepts("stripe", ["whsec_b", "whsec_a"], header(two), event)).toEqual(verified);
  const refused = [
    `t=${now},v1=${signed("whsec_b")}`,
    `t=${now},v0=${signed("whsec_a")}`,
    `t=${now - 301},v1=${signed("whsec_a", now - 301)}`,
    `t=${now + 1},v1=${signed("whsec_a")}`,
    `v1=${signed("whsec_a")}`,
    "",
  ];
  for (const text of refused) expect(accepts("stripe", ["whsec_a"], header(text), event), text).toBeUndefined();
  const whole = header(`t=${now},v1=${signed("whsec_a")}`);
  expect(accepts("stripe", ["whsec_a"], whole, event.slice(1))).toBeUndefined();
});

test("GitHub's scheme: its own example is taken, and known again by its body, whatever delivery it says it is", () => {
  // docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries, "Testing the webhook payload validation"
  const secret = "It's a Secret to Everybody";
  const signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
  const headers = { "x-hub-signature-256": signature, "x-github-delivery": "one" };
  const first = accepts("github", [secret], headers, "Hello, World!");
  expect(first?.messageId).toBe("one");
  const again = accepts("github", [secret], { ...headers, "x-github-delivery": "two" }, "Hello, World!");
  expect(again?.dedupeKey).toBe(first?.dedupeKey);
  expect(accepts("github", ["another"], headers, "Hello, World!")).toBeUndefined();
  expect(accepts("github", [secret], headers, "Hello, World")).toBeUndefined();
  expect(accepts("github", [secret], { "x-hub-signature": signature }, "Hello, World!")).toBeUndefined();
});
