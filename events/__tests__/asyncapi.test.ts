// What is written of the catalogue for others: the AsyncAPI document, the page, and events as CloudEvents, each
// read by the official parser or SDK of its kind.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { HTTP, type CloudEvent as ReadCloudEvent } from "cloudevents";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { asyncApiOf, messageName } from "../asyncapi";
import { catalog } from "../catalog";
import { cataloguePage } from "../catalogue-page";
import { STRUCTURED_CONTENT_TYPE, toBinaryHttp, toCloudEvent } from "../cloud-event";
import { samplesOf } from "../contract-gate/samples";
import { contractOf } from "../contracts";
import { defineEvent } from "../event";
import type { DomainEvent } from "../topic";

const definitions = [...catalog.values()];
const committed = (name: string): string => readFileSync(join(__dirname, "..", "..", "docs", name), "utf8");

const event = (change: Partial<DomainEvent> = {}): DomainEvent => ({
  id: "0190d0a2-6a4c-7c3e-8c55-3f0b6f8f2a11",
  tenantId: "0190d0a2-6a4c-7c3e-8c55-3f0b6f8f2a12",
  type: "auth.user.registered",
  version: 1,
  aggregateType: "user",
  aggregateId: "u-1",
  payload: { userId: "u-1", name: "Ana 100% \u{1f600}" },
  headers: {
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    actor: "user:u-1",
    "correlation-id": "c",
    "causation-id": "d",
    "redrive-consumer": "of the app alone",
  },
  occurredAt: "2026-01-02T03:04:05.678Z",
  ...change,
});

describe("docs/asyncapi.json and docs/events.html", () => {
  it("are as the catalogue is (else: npm run gen)", () => {
    expect(JSON.parse(committed("asyncapi.json"))).toEqual(asyncApiOf(definitions));
    expect(committed("events.html")).toBe(cataloguePage(definitions));
  });

  it("name each event once, with what ends and what follows", () => {
    const payload = z.object({ "<b>": z.enum(["a", "b"]).optional() });
    const deprecated = { since: "2026-01-01", until: "2026-03-01", successor: "a.b.c@2" };
    const ending = defineEvent({ type: "a.b.c", version: 1, payload, deprecated });
    const page = cataloguePage([ending]);
    expect(page).toContain('emitted until 2026-03-01; then <a href="#a.b.c@2">');
    expect(page).toContain("<td><code>&#60;b&#62;</code></td><td>&#34;a&#34; | &#34;b&#34;</td><td>optional</td>");
    expect(JSON.stringify(asyncApiOf([ending]))).toContain("emitted until 2026-03-01. Followed by a.b.c@2.");
    for (const { key } of definitions) expect(cataloguePage(definitions).split(`id="${key}"`)).toHaveLength(2);
    expect(page).not.toMatch(/<script|(?:src|href)="(?:https?:)?\/\//);
  });
});

describe("an event as a CloudEvent", () => {
  const read = (headers: Record<string, string>, body: string): ReadCloudEvent<unknown> =>
    HTTP.toEvent({ headers, body }) as ReadCloudEvent<unknown>;

  it("is read by the official SDK, in both modes the same, with tenant, trace and provenance along", () => {
    const given = toCloudEvent(event(), "/groundwork");
    const structured = read({ "content-type": STRUCTURED_CONTENT_TYPE }, JSON.stringify(given));
    const { headers, body } = toBinaryHttp(given);
    for (const each of [structured, read(headers, body)]) {
      expect(each.validate()).toBe(true);
      expect(each.toJSON()).toMatchObject({
        id: event().id,
        source: "/groundwork",
        type: "auth.user.registered.v1",
        subject: "user/u-1",
        time: "2026-01-02T03:04:05.678Z",
        partitionkey: "u-1",
        tenantid: event().tenantId,
        actor: "user:u-1",
        correlationid: "c",
        causationid: "d",
        traceparent: event().headers.traceparent,
        data: event().payload,
      });
    }
    expect(JSON.stringify([given, headers])).not.toContain("of the app alone");
  });

  it("has no tenant when the platform's, and header values that every server takes", () => {
    const given = toCloudEvent(event({ tenantId: null, aggregateId: 'ä "1%\n' }), "/groundwork");
    expect(given).not.toHaveProperty("tenantid");
    expect(toBinaryHttp(given).headers["ce-partitionkey"]).toBe("%C3%A4%20%221%25%0A");
    expect(toBinaryHttp(given).headers).not.toHaveProperty("ce-tenantid");
  });

  it.each(definitions.map((definition) => [definition.key, definition] as const))(
    "of %s is valid",
    (_key, definition) => {
      for (const payload of samplesOf(contractOf(definition))) {
        const given = toCloudEvent(
          event({ type: definition.type, version: definition.version, payload }),
          "/groundwork",
        );
        const back = read({ "content-type": STRUCTURED_CONTENT_TYPE }, JSON.stringify(given));
        expect(back.validate()).toBe(true);
        expect([back.type, back.data]).toEqual([messageName(definition), payload]);
      }
    },
  );
});
