// Where webhooks go: who sets that up, what is shown of it and how much there may be.
import { expect, test } from "vitest";
import { auth, secrets, webhooks } from "~encore/clients";
import { systemQuery } from "../../../db/tenant";
import { identify } from "../../../auth/__tests__/callers";
import { reasonOf } from "../../../security/errors";
import { createCaller } from "../../../testing";
import { ENDPOINTS_MAX } from "../outgoing";
import { publicKeyOf } from "../signing";
import { createEndpoint, createOrganisation } from "./stage";

const url = "https://hooks.example.com/a?token=1";
const reason = (asked: Promise<unknown>): Promise<string | undefined> =>
  asked.then(
    () => "none",
    (error: unknown) => reasonOf(error),
  );

test("its keys are shown to who made it, and to nobody after", async () => {
  const owner = await createOrganisation();
  const { secret, publicKey, ...endpoint } = await createEndpoint(owner, url, { description: "Billing" });
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(publicKey).toMatch(/^whpk_/);
  expect(endpoint).toMatchObject({ url, description: "Billing", eventTypes: [], ordering: "none", status: "active" });
  const shown = [
    await webhooks.getEndpoint({ id: endpoint.id }, owner),
    (await webhooks.listEndpoints({}, owner)).endpoints[0],
    await webhooks.updateEndpoint({ id: endpoint.id, description: "Other" }, owner),
    await secrets.list(owner),
  ];
  for (const one of shown) expect(JSON.stringify(one)).not.toMatch(/whsec_|whpk_|whsk_/);
  const rows = await systemQuery("test", "select * from webhooks.endpoint where tenant_id = $1", [owner.tenantId]);
  expect(JSON.stringify(rows)).not.toContain(secret);
  const name = `app.webhook-endpoint.${endpoint.id}`;
  expect((await secrets.list(owner)).secrets).toMatchObject([{ name }]);
  expect(await reason(secrets.remove({ name }, owner))).toBe("invalid_request");
  expect(() => publicKeyOf({ secret, privateKey: publicKey })).toThrow(TypeError);
});

test("its address may hold a token: who only reads them sees whose server it is", async () => {
  const owner = await createOrganisation();
  const { id } = await createEndpoint(owner, "https://hooks.example.com/services/T0/B1/secret?key=1");
  const { key } = await auth.createApiKey({ name: "reader", permissions: ["webhook.read"] }, owner);
  const reader = { authData: await identify(key) };
  const seen = { id, url: "https://hooks.example.com/…" };
  expect(await webhooks.getEndpoint({ id }, reader)).toMatchObject(seen);
  expect((await webhooks.listEndpoints({}, reader)).endpoints).toMatchObject([seen]);
});

test("it is changed field by field, listed in pages, and gone with its keys when it is removed", async () => {
  const owner = await createOrganisation();
  const made = await createEndpoint(owner, url, { eventTypes: ["auth.member.joined", "auth.member.joined"] });
  const { id } = made;
  expect(made.eventTypes).toEqual(["auth.member.joined"]);
  const changed = await webhooks.updateEndpoint({ id, ordering: "aggregate", eventTypes: [] }, owner);
  expect(changed).toMatchObject({ url, ordering: "aggregate", eventTypes: [], status: "active" });
  const disabled = { status: "disabled", disabledReason: "by_hand" };
  expect(await webhooks.updateEndpoint({ id, status: "disabled" }, owner)).toMatchObject(disabled);
  expect(await webhooks.updateEndpoint({ id, url: "https://other.example.com" }, owner)).toMatchObject({
    ...disabled,
    url: "https://other.example.com/",
  });
  const second = await createEndpoint(owner, url);
  const page = await webhooks.listEndpoints({ limit: 1 }, owner);
  expect(page.endpoints.map((one) => one.id)).toEqual([second.id]);
  const rest = await webhooks.listEndpoints({ limit: 1, cursor: page.next! }, owner);
  expect([rest.endpoints.map((one) => one.id), rest.next]).toEqual([[id], undefined]);
  await webhooks.removeEndpoint({ id }, owner);
  expect(await reason(webhooks.getEndpoint({ id }, owner))).toBe("endpoint_not_found");
  expect((await secrets.list(owner)).secrets).toHaveLength(1);
  expect(await reason(webhooks.removeEndpoint({ id }, owner))).toBe("endpoint_not_found");
});

test("another organisation's is not found, and nothing of it changes", async () => {
  const [owner, stranger] = [await createOrganisation(), await createOrganisation()];
  const { id } = await createEndpoint(owner, url);
  const asked = [
    () => webhooks.getEndpoint({ id }, stranger),
    () => webhooks.listAttempts({ id }, stranger),
    () => webhooks.updateEndpoint({ id, status: "disabled" }, stranger),
    () => webhooks.removeEndpoint({ id }, stranger),
    () => webhooks.getEndpoint({ id: "x" }, owner),
  ];
  for (const ask of asked) expect(await reason(ask())).toBe("endpoint_not_found");
  expect((await webhooks.listEndpoints({}, stranger)).endpoints).toEqual([]);
  expect(await webhooks.getEndpoint({ id }, owner)).toMatchObject({ status: "active" });
});

test("members see and change none, and who signed out changes none", async () => {
  const owner = await createOrganisation();
  const member = createCaller("member", owner);
  expect(await reason(webhooks.listEndpoints({}, member))).toBe("permission_denied");
  expect(await reason(webhooks.createEndpoint({ url }, member))).toBe("permission_denied");
  const { id } = await createEndpoint(owner, url);
  await auth.logout({}, owner);
  expect(await reason(webhooks.createEndpoint({ url }, owner))).toBe("invalid_token");
  expect(await reason(webhooks.updateEndpoint({ id, url: "https://evil.example.com" }, owner))).toBe("invalid_token");
  expect(await reason(webhooks.removeEndpoint({ id }, owner))).toBe("invalid_token");
});

test("there are so many at most, and what is none is told by its field", async () => {
  const owner = await createOrganisation();
  for (let i = 0; i < ENDPOINTS_MAX; i++) await createEndpoint(owner, url);
  expect(await reason(createEndpoint(owner, url))).toBe("too_many_endpoints");
  const asked = { description: "a\u0000b", eventTypes: ["none.of.them"] };
  const fields = { url: expect.stringContaining("is no public address") as string };
  await expect(webhooks.createEndpoint({ url: "https://10.0.0.1/", ...asked }, owner)).rejects.toMatchObject({
    details: {
      reason: "invalid_request",
      fields: {
        ...fields,
        description: "has a control character",
        "eventTypes.0": "is no type of event: GET /webhooks/event-types lists them",
      },
    },
  });
  const { eventTypes } = await webhooks.listEventTypes(owner);
  expect(eventTypes).toContain("webhooks.endpoint.disabled");
});
