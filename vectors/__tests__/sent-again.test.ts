// What sending a document again does and leaves alone; nothing is embedded here.
import { beforeEach, expect, test } from "vitest";
import { tenantQuery } from "../../db/tenant";
import { parseInput } from "../../security/input";
import type { Principal } from "../../security/principal";
import { createCaller } from "../../testing";
import { ingest } from "../ingestion";
import { ingestionInput } from "../input";

let principal: Principal;
beforeEach(() => {
  ({ principal } = createCaller());
});

const send = (request: Record<string, unknown>): Promise<{ id: string; status: string }> =>
  ingest(principal, parseInput(ingestionInput, request), "a-model");
const stored = async (): Promise<Record<string, unknown> | undefined> =>
  (await tenantQuery<Record<string, unknown>>(principal, "select version, status, metadata from vectors.document"))[0];

test("a document that has been pending for longer than its job can run is tried anew", async () => {
  const request = { source: "lost.md", text: "A text whose job was lost." };
  const age = (by: string): Promise<unknown> =>
    tenantQuery(principal, "update vectors.document set updated_at = now() - $1::interval", [by]);
  await send(request);
  await age("1 hour");
  await send(request);
  expect(await stored()).toMatchObject({ status: "pending", version: 1 });
  await age("5 hours");
  await send(request);
  expect(await stored()).toMatchObject({ status: "pending", version: 2 });
});

test("a pending document whose metadata changes with each sending is tried anew all the same", async () => {
  const request = { source: "lost.md", text: "A text whose job was lost." };
  await send({ ...request, metadata: { seen: 1 } });
  for (const seen of [2, 3]) {
    await tenantQuery(principal, "update vectors.document set updated_at = updated_at - interval '3 hours'");
    await send({ ...request, metadata: { seen } });
  }
  expect(await stored()).toMatchObject({ status: "pending", version: 2, metadata: { seen: 3 } });
});

test("a document keeps its metadata when it is sent again without any", async () => {
  const metadata = { note: "the escape \\u0000 is only written about", half: "\ud800" };
  const kept = { ...metadata, half: "\ufffd" };
  await send({ source: "m.md", text: "One.", metadata });
  expect((await stored())?.metadata).toEqual(kept);
  await send({ source: "m.md", text: "One." });
  expect((await stored())?.metadata).toEqual(kept);
  await send({ source: "m.md", text: "Two." });
  expect((await stored())?.metadata).toEqual(kept);
  await send({ source: "m.md", text: "Two.", metadata: {} });
  expect((await stored())?.metadata).toEqual({});
});
