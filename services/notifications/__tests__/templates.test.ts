// Templates: each in their language, values checked before anything is sent, and nothing of ours in reach of what an organisation wrote.
import { mail, notifications } from "~encore/clients";
import { describe, expect, test, vi } from "vitest";
import { runRelayAndWorkers } from "../../../testing";
import "../jobs";
import { languageFor, renderTemplate, type TemplateSource } from "../templates";
import { found, joinMember, reason, receiptsOf, sendTo, type Member } from "./people";

runRelayAndWorkers();

const source = (body: string, more: Partial<TemplateSource> = {}): TemplateSource => ({
  ...{ language: "en", title: "t", body, url: null },
  ...more,
});
const said = async (body: string, data: object = {}): Promise<string> =>
  (await renderTemplate([source(body)], data, "en")).body;

/** What a refusal says of the fields. */
const fieldsOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => (error as { details?: { fields?: unknown } }).details?.fields,
  );

describe("a template", () => {
  test("takes its values, in loops and conditions too", async () => {
    const body =
      "{{ name }}: {% for one in items %}{{ one.what }}{% unless forloop.last %}, {% endunless %}{% endfor %}";
    expect(await said(body, { name: "Ada", items: [{ what: "tea" }, { what: "cake" }] })).toBe("Ada: tea, cake");
  });

  test.each([
    ["a value that is missing", "{{ amount }}", {}],
    ["a value within one that is missing", "{{ invoice.number }}", { invoice: {} }],
    ["a filter that there is not", "{{ name | shout }}", { name: "a" }],
    ["a filter whose cost has no bound", "{{ name | strip_html }}", { name: "a" }],
    ["a file", "{% include 'package.json' %}", {}],
    ["a file by another tag", "{% render '/etc/passwd' %}", {}],
    ["a layout", "{% layout 'a' %}", {}],
    ["the prototype of a value", "{{ name.constructor }}", { name: {} }],
    ["the constructor of a text", "{{ name.constructor.name }}", { name: "a" }],
    [
      "a loop that does not end",
      "{% for a in (1..100000000) %}{% for b in (1..100000000) %}x{% endfor %}{% endfor %}",
      {},
    ],
    [
      "a text that doubles without end",
      `{% assign a = "xxxxxxxxxxxxxxxx" %}${"{% assign a = a | append: a %}".repeat(40)}{{ a }}`,
      {},
    ],
  ])("is refused for %s, and says so", async (_, body, data) => {
    // With a text of its own: an empty body would be refused for that.
    const fields = await fieldsOf(said(`Text. ${body}`, data));
    expect(Object.keys(fields as object)).toEqual(["en.body"]);
  });

  test("that asks for too much holds nobody up", async () => {
    const nested = "{% for a in (1..9999) %}{% for b in (1..9999) %}{{ a | times: b }}{% endfor %}{% endfor %}";
    let longestMs = 0;
    let lastMs = performance.now();
    const timer = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - lastMs);
      lastMs = performance.now();
    }, 1);
    await Promise.all(Array.from({ length: 20 }, () => fieldsOf(said(nested))));
    clearInterval(timer);
    // What one field may take, and what a busy machine adds.
    expect(longestMs).toBeLessThan(250);
  });

  test("that becomes too long, or leads elsewhere, becomes no notification", async () => {
    const rendered = (more: Partial<TemplateSource>): Promise<unknown> =>
      fieldsOf(renderTemplate([source("b", more)], { x: "x".repeat(200), to: "//evil.example" }, "en"));
    expect(await rendered({ title: "{{ x }}" })).toMatchObject({ "en.title": expect.anything() as string });
    expect(await rendered({ url: "{{ to }}" })).toMatchObject({ "en.url": expect.anything() as string });
  });

  test("is chosen by language, then by it without its region, then by what the organisation speaks", async () => {
    expect(languageFor(["pt", "en"], "pt-BR")).toBe("pt");
    expect(languageFor(["pt-BR", "en"], "pt")).toBeUndefined();
    const both = [source("Hallo", { language: "de" }), source("Hello")];
    expect((await renderTemplate(both, {}, "en")).body).toBe("Hello");
    expect((await renderTemplate(both, {}, "fr")).body).toBe("Hallo");
  });
});

describe("sending", () => {
  const put = (by: Member, language: string, title: string, body: string): Promise<void> =>
    notifications.putTemplate({ name: "invoice", language, title, body, url: "/invoices/{{ number }}" }, by);
  const subjectsTo = async ({ email }: Member): Promise<string[]> =>
    (await mail.listMessages({ to: email })).messages.map(({ subject }) => subject);

  test("by a template is read by each in their language, in the app and by mail, and stays as it was sent", async () => {
    const owner = await found();
    const [ada, bea] = [await joinMember(owner), await joinMember(owner)];
    await put(owner, "en", "Invoice {{ number }}", "Pay {{ amount }}.");
    await put(owner, "de", "Rechnung {{ number }}", "Bitte {{ amount }} zahlen.");
    await notifications.putPreferences({ language: "de-AT" }, ada);
    const template = { content: undefined, template: "invoice", data: { number: 7, amount: "10 €" } };
    const id = await sendTo(owner, [ada, bea], template);
    await vi.waitFor(
      async () => expect((await receiptsOf(owner, id)).filter((one) => one === "email sent")).toHaveLength(2),
      { timeout: 30_000 },
    );
    await put(owner, "de", "Anders", "Anders");
    expect([await subjectsTo(ada), await subjectsTo(bea)]).toEqual([["Rechnung 7"], ["Invoice 7"]]);
    const shown = async (by: Member) => (await notifications.list({}, by)).notifications;
    expect(await shown(ada)).toMatchObject([{ title: "Rechnung 7", body: "Bitte 10 € zahlen.", url: "/invoices/7" }]);
    expect(await shown(bea)).toMatchObject([{ title: "Invoice 7", body: "Pay 10 €." }]);
  });

  test("by a template that lacks a value, or is not there, sends nothing; nor do two contents, or none", async () => {
    const owner = await found();
    await put(owner, "en", "Invoice {{ number }}", "Pay.");
    await put(owner, "de", "Rechnung {{ number }}", "{{ betrag }} zahlen.");
    const send = (more: object): Promise<unknown> => sendTo(owner, [owner], { content: undefined, ...more });
    expect(await fieldsOf(send({ template: "invoice", data: { number: 7 } }))).toEqual({
      "de.body": expect.stringContaining("betrag") as string,
    });
    expect(await reason(send({ template: "other" }))).toBe("template_not_found");
    expect(await reason(send({}))).toBe("invalid_request");
    expect(await reason(sendTo(owner, [owner], { template: "invoice" }))).toBe("invalid_request");
    expect((await notifications.list({}, owner)).notifications).toEqual([]);
  });

  test("takes templates that are some, of who manages them, and of no other organisation", async () => {
    const [owner, stranger] = [await found(), await found()];
    const ada = await joinMember(owner);
    expect(await reason(put(owner, "en", "{{ open", "b"))).toBe("invalid_request");
    expect(await reason(put(owner, "english", "t", "b"))).toBe("invalid_request");
    expect(await reason(put(ada, "en", "t", "b"))).toBe("permission_denied");
    await put(owner, "en", "t", "b");
    expect((await notifications.listTemplates({}, owner)).templates).toMatchObject([
      { name: "invoice", language: "en" },
    ]);
    expect((await notifications.listTemplates({}, stranger)).templates).toEqual([]);
    expect(await reason(notifications.removeTemplate({ name: "invoice", language: "en" }, stranger))).toBe(
      "template_not_found",
    );
    await notifications.removeTemplate({ name: "invoice", language: "en" }, owner);
    expect((await notifications.listTemplates({}, owner)).templates).toEqual([]);
  });
});

describe("a topic", () => {
  const subscribersOf = async (by: Member): Promise<string[]> =>
    (await notifications.listSubscribers({ topic: "releases" }, by)).subscribers.map(({ userId }) => userId).sort();

  test("reaches whom the organisation put there, each once, and nobody who left or is no member any more", async () => {
    const owner = await found();
    const [ada, bea, cleo] = [await joinMember(owner), await joinMember(owner), await joinMember(owner)];
    await notifications.putSubscribers({ topic: "releases", add: [ada.id, bea.id, cleo.id] }, owner);
    await notifications.leaveTopic({ topic: "releases" }, bea);
    expect(await subscribersOf(owner)).toEqual([ada.id, cleo.id].sort());
    const id = await sendTo(owner, [ada], { to: [ada.id, "topic:releases", "topic:nobody"] });
    await vi.waitFor(async () => expect(await receiptsOf(owner, id, cleo)).toContain("email sent"), {
      timeout: 30_000,
    });
    const unread = async (by: Member): Promise<number> => (await notifications.list({}, by)).unread;
    expect([await unread(ada), await unread(bea), await unread(cleo)]).toEqual([1, 0, 1]);
    await notifications.putSubscribers({ topic: "releases", remove: [cleo.id] }, owner);
    expect(await subscribersOf(owner)).toEqual([ada.id]);
  });

  test("is changed by who manages it alone, and with members of the organisation", async () => {
    const [owner, stranger] = [await found(), await found()];
    const ada = await joinMember(owner);
    expect(await reason(notifications.putSubscribers({ topic: "releases", add: [ada.id] }, ada))).toBe(
      "permission_denied",
    );
    expect(await reason(notifications.putSubscribers({ topic: "releases", add: [stranger.id] }, owner))).toBe(
      "recipient_not_found",
    );
    expect(await reason(subscribersOf(owner))).toBe("topic_not_found");
    expect(await reason(notifications.leaveTopic({ topic: "releases" }, ada))).toBe("topic_not_found");
  });
});
