// Web push: the RFC's own example, our identity, and a local push service that reads what it is sent as a browser would.
import { notifications } from "~encore/clients";
import { createDecipheriv, createECDH, hkdfSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { importJWK, jwtVerify } from "jose";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { tenantQuery } from "../../../db/tenant";
import { runRelayAndWorkers } from "../../../testing";
import { deliverPush, payloadOf } from "../deliver-push";
import "../jobs";
import { encryptPush, PLAIN_BYTES_MAX } from "../push-encryption";
import { vapidAuthorization, vapidKeys } from "../vapid";
import { found, joinMember, reason, receiptsOf, sendTo, type Member } from "./people";

runRelayAndWorkers();

const from64 = (text: string): Buffer => Buffer.from(text, "base64url");

/** A browser: written from RFC 8291 §3 and RFC 8188 §2 the other way round. */
class Browser {
  private readonly pair = createECDH("prime256v1");
  readonly auth: Buffer;

  constructor(privateKey?: Buffer, auth: Buffer = randomBytes(16)) {
    this.auth = auth;
    if (privateKey === undefined) this.pair.generateKeys();
    else this.pair.setPrivateKey(privateKey);
  }

  get publicKey(): Buffer {
    return this.pair.getPublicKey();
  }

  read(body: Buffer): string {
    const [salt, size, length] = [body.subarray(0, 16), body.readUInt32BE(16), body.readUInt8(20)];
    const sender = body.subarray(21, 21 + length);
    const record = body.subarray(21 + length);
    expect(record.length).toBeLessThanOrEqual(size);
    const key = Buffer.from(
      hkdfSync(
        "sha256",
        this.pair.computeSecret(sender),
        this.auth,
        Buffer.concat([Buffer.from("WebPush: info\0"), this.publicKey, sender]),
        32,
      ),
    );
    const derived = (name: string, bytes: number): Buffer =>
      Buffer.from(hkdfSync("sha256", key, salt, Buffer.from(`Content-Encoding: ${name}\0`), bytes));
    const decipher = createDecipheriv("aes-128-gcm", derived("aes128gcm", 16), derived("nonce", 12));
    decipher.setAuthTag(record.subarray(-16));
    const plain = Buffer.concat([decipher.update(record.subarray(0, -16)), decipher.final()]);
    const end = plain.lastIndexOf(2);
    return plain.subarray(0, end).toString("utf8");
  }
}

/** RFC 8291 §5 and its appendix A. */
const RFC = {
  plain: "When I grow up, I want to be a watermelon",
  receiverPrivate: "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94",
  receiverPublic: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
  senderPrivate: "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw",
  salt: "DGv6ra1nlYgDCS1FRnbzlw",
  auth: "BTBZMqHH6r4Tts7J_aSIgg",
  body: "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN",
};

describe("the coding", () => {
  test("makes the message of RFC 8291, section 5, byte for byte", () => {
    const body = encryptPush(
      Buffer.from(RFC.plain),
      { p256dh: from64(RFC.receiverPublic), auth: from64(RFC.auth) },
      { salt: from64(RFC.salt), privateKey: from64(RFC.senderPrivate) },
    );
    expect(body.toString("base64url")).toBe(RFC.body);
    expect(new Browser(from64(RFC.receiverPrivate), from64(RFC.auth)).read(body)).toBe(RFC.plain);
  });

  test("takes as much as fits into one record, and no byte more", () => {
    const browser = new Browser();
    const keys = { p256dh: browser.publicKey, auth: browser.auth };
    const random = { salt: randomBytes(16), privateKey: from64(RFC.senderPrivate) };
    const longest = encryptPush(Buffer.alloc(PLAIN_BYTES_MAX, "x"), keys, random);
    expect(longest.length).toBe(4_096);
    expect(browser.read(longest)).toHaveLength(PLAIN_BYTES_MAX);
    expect(() => encryptPush(Buffer.alloc(PLAIN_BYTES_MAX + 1), keys, random)).toThrow(RangeError);
  });
});

describe("who we are to push services", () => {
  test("is told by a token for this service, signed by the key that stands beside it (RFC 8292)", async () => {
    const [key] = vapidKeys();
    const endpoint = "https://push.example:8443/x";
    const nowMs = Date.now();
    const header = await vapidAuthorization(key!, { endpoint, subject: "https://app.example", nowMs });
    const [, token = "", k = ""] = /^vapid t=([\w.-]+), k=([\w-]+)$/.exec(header) ?? [];
    const point = from64(k);
    const jwk = {
      kty: "EC",
      crv: "P-256",
      x: point.subarray(1, 33).toString("base64url"),
      y: point.subarray(33).toString("base64url"),
    };
    const { payload } = await jwtVerify(token, await importJWK(jwk, "ES256"), {
      audience: "https://push.example:8443",
    });
    expect(payload.sub).toBe("https://app.example");
    expect(payload.exp! * 1_000 - nowMs).toBeLessThanOrEqual(86_400_000);
    expect(k).toBe(key!.publicKey);
  });
});

interface Got {
  headers: IncomingMessage["headers"];
  body: Buffer;
}

/** A push service on this machine that answers with these statuses, the last one from then on. */
async function pushService(...statuses: number[]): Promise<{ endpoint: string; got: Got[] }> {
  const got: Got[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      got.push({ headers: request.headers, body: Buffer.concat(chunks) });
      const status = statuses[Math.min(got.length, statuses.length) - 1] ?? 201;
      response.writeHead(status, status === 307 ? { location: "/elsewhere" } : {}).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/push/abc`, got };
}

async function subscribe(
  member: Member,
  endpoint: string,
  browser = new Browser(),
): Promise<{ id: string; browser: Browser }> {
  const keys = { p256dh: browser.publicKey.toString("base64url"), auth: browser.auth.toString("base64url") };
  const { id } = await notifications.subscribe({ endpoint, keys }, member);
  return { id, browser };
}

const pushed = (by: Member, id: string, expected: string): Promise<void> =>
  vi.waitFor(
    async () => expect((await receiptsOf(by, id)).filter((one) => one.startsWith("push"))).toEqual([expected]),
    {
      timeout: 30_000,
      interval: 50,
    },
  );

const subscriptionsOf = async (member: Member): Promise<number> =>
  (await notifications.listSubscriptions(member)).subscriptions.length;

describe("a push message", () => {
  test("is read by the browser that it is for, and says how long and how urgently it is kept", async () => {
    const owner = await found();
    const { endpoint, got } = await pushService();
    const { browser } = await subscribe(owner, endpoint);
    const id = await sendTo(owner, [owner]);
    await pushed(owner, id, "push sent");
    expect(got).toHaveLength(1);
    const [{ headers, body }] = got as [Got];
    expect(JSON.parse(browser.read(body))).toEqual({
      ...{ id, category: "billing", title: "Your invoice", body: "It is due on Friday.\n\nThank you." },
      url: "http://localhost:4000/invoices/7",
    });
    expect(headers).toMatchObject({ "content-encoding": "aes128gcm", ttl: "86400", urgency: "normal" });
    expect(headers.authorization).toContain(`k=${(await notifications.getPushKey(owner)).publicKey}`);
  });

  test.each([404, 410])("that finds nobody any more (%i) ends the subscription", async (status) => {
    const owner = await found();
    const { endpoint } = await pushService(status);
    await subscribe(owner, endpoint);
    await pushed(owner, await sendTo(owner, [owner]), "push failed gone");
    expect(await subscriptionsOf(owner)).toBe(0);
    await pushed(owner, await sendTo(owner, [owner]), "push withheld no_destination");
  });

  test.each([400, 401, 403, 413, 307])(
    "that is refused (%i) is not tried again, and no redirect is followed",
    async (status) => {
      const owner = await found();
      const { endpoint, got } = await pushService(status);
      await subscribe(owner, endpoint);
      await pushed(owner, await sendTo(owner, [owner]), "push failed refused");
      expect(got).toHaveLength(1);
      expect(await subscriptionsOf(owner)).toBe(1);
    },
  );

  test.each([429, 503])("that meets a service which is busy (%i) is tried again", async (status) => {
    const owner = await found();
    const { endpoint } = await pushService(status, 201);
    await subscribe(owner, endpoint);
    const id = await sendTo(owner, [owner]);
    await vi.waitFor(async () => expect(await receiptsOf(owner, id)).toHaveLength(4), { timeout: 30_000 });
    const { receipts } = await notifications.listReceipts({ id }, owner);
    const { id: deliveryId } = receipts.find(({ channel }) => channel === "push")!;
    // The job's own first attempt, and the one after it without its wait.
    await vi.waitFor(() => deliverPush(owner.principal, deliveryId), { timeout: 30_000, interval: 100 });
    await pushed(owner, id, "push sent");
  });

  test("goes to each browser that is named, and to all where none is", async () => {
    const owner = await found();
    const [one, other] = [await pushService(), await pushService()];
    const { id: first } = await subscribe(owner, one.endpoint);
    await subscribe(owner, other.endpoint);
    const toBoth = await sendTo(owner, [owner]);
    await vi.waitFor(() => expect([one.got.length, other.got.length]).toEqual([1, 1]), { timeout: 30_000 });
    await notifications.putPreferences({ includedPush: [first] }, owner);
    const toOne = await sendTo(owner, [owner]);
    await pushed(owner, toOne, "push sent");
    expect([one.got.length, other.got.length]).toEqual([2, 1]);
    expect((await receiptsOf(owner, toBoth)).filter((receipt) => receipt === "push sent")).toHaveLength(2);
  });

  test("that is too long for a record ends in an ellipsis, in whole characters", () => {
    const content = { title: "t", body: "👋".repeat(4_000), url: "/x" };
    const row = { notificationId: "n", category: "c", content, policy: null, preferences: null } as Parameters<
      typeof payloadOf
    >[0];
    const payload = payloadOf(row);
    expect(payload.length).toBeLessThanOrEqual(PLAIN_BYTES_MAX);
    const { body } = JSON.parse(payload.toString()) as { body: string };
    expect(body).toMatch(/^(?:👋)+\ufffd?…$/u);
  });
});

describe("a subscription", () => {
  const keys = (): { p256dh: string; auth: string } => {
    const { publicKey, auth } = new Browser();
    return { p256dh: publicKey.toString("base64url"), auth: auth.toString("base64url") };
  };

  test.each([
    "https://127.0.0.1.nip.io.internal/x",
    "https://10.0.0.1/x",
    "https://[::ffff:169.254.169.254]/latest",
    "https://169.254.169.254/latest/meta-data",
    "https://0x7f.1.internal/",
    "https://metadata.google.internal/",
    "http://push.example/x",
    "https://user:password@push.example/x",
    "ftp://push.example/x",
    "file:///etc/passwd",
    "no address",
  ])("leads to no address of ours: %s", async (endpoint) => {
    const owner = await found();
    expect(await reason(notifications.subscribe({ endpoint, keys: keys() }, owner))).toBe("invalid_request");
  });

  test("whose address is private when it is called is refused then too, and told of", async () => {
    const owner = await found();
    const { id } = await notifications.subscribe({ endpoint: "https://push.example.com/x", keys: keys() }, owner);
    await tenantQuery(
      owner,
      `update notifications.push_subscription set endpoint = 'https://192.168.1.1/x' where tenant_id = $1 and id = $2`,
      [owner.tenantId, id],
    );
    await pushed(owner, await sendTo(owner, [owner]), "push failed address_refused");
  });

  test.each([
    ["a key that is no point of the curve", { p256dh: Buffer.alloc(65, 4).toString("base64url") }],
    ["a secret of another length", { auth: Buffer.alloc(15).toString("base64url") }],
  ])("refuses %s", async (_, wrong) => {
    const owner = await found();
    const given = { endpoint: "https://push.example.com/x", keys: { ...keys(), ...wrong } };
    expect(await reason(notifications.subscribe(given, owner))).toBe("invalid_request");
  });

  test("is its browser's: the same again is the same, the twenty-first ends the oldest, nobody else ends it", async () => {
    const owner = await found();
    const ada = await joinMember(owner);
    const at = (n: number) => ({ endpoint: `https://push.example.com/${n}`, keys: keys() });
    const first = await notifications.subscribe(at(0), owner);
    expect(await notifications.subscribe(at(0), owner)).toEqual(first);
    for (let n = 1; n <= 20; n++) await notifications.subscribe(at(n), owner);
    expect(await subscriptionsOf(owner)).toBe(20);
    expect(await reason(notifications.unsubscribePush(first, owner))).toBe("push_subscription_not_found");
    const last = await notifications.subscribe(at(20), owner);
    expect(await reason(notifications.unsubscribePush(last, ada))).toBe("push_subscription_not_found");
    await notifications.unsubscribePush(last, owner);
    expect(await subscriptionsOf(owner)).toBe(19);
  });
});
