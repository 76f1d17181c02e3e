// A contract that the consumer writes: what vectors needs of an event is a Pact file, made by running its real
// subscription, and the real way of an event (emit, outbox, relay, message) is verified against it. The gate holds the schema;
// this holds what one consumer counts on.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MatchersV3, MessageConsumerPact, MessageProviderPact } from "@pact-foundation/pact";
import { afterAll, expect, it, vi } from "vitest";
import { newId } from "../../db/ids";
import { systemQuery, withSystem } from "../../db/tenant";
import { organisationDeleted } from "../../events/catalog/auth";
import { localConsumers } from "../../events/consumer";
import { registerDestination } from "../../events/destinations";
import { emit } from "../../events/outbox";
import { createRelay } from "../../events/relay";
import { toReceived } from "../../events/received";
import { messageOf, type DomainEvent } from "../../events/topic";
import "../subscriptions";

const { like, regex, uuid } = MatchersV3;
const dir = mkdtempSync(join(tmpdir(), "gw-pact-"));
const names = { consumer: "vectors-purge", provider: "auth-events" };
const DESCRIPTION = "an organisation was deleted";
const MOMENT = String.raw`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`;

// The verifier would tell its makers of each run.
vi.stubEnv("PACT_DO_NOT_TRACK", "true");
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** As the app sends it: written in a transaction and handed over by the relay. */
async function sent(organisationId: string): Promise<DomainEvent> {
  const about = { aggregateType: "organisation", aggregateId: organisationId, tenantId: null };
  const id = await withSystem("test", (tx) => emit(tx, organisationDeleted, { organisationId }, about));
  const found: DomainEvent[] = [];
  registerDestination("event", {
    batchSize: 1,
    publish: async ([row]) => void (row?.id === id && found.push(messageOf(row))),
  });
  const relay = createRelay({ destinations: ["event"] });
  while ((await relay.runOnce()) > 0);
  return found[0] as DomainEvent;
}

it("holds between the purge of vectors and the event of a deleted organisation", async () => {
  const organisationId = newId();
  const pact = new MessageConsumerPact({ ...names, dir, logLevel: "error" });
  await pact
    .expectsToReceive(DESCRIPTION)
    .withContent({
      id: uuid(newId()),
      tenantId: null,
      type: "auth.organisation.deleted",
      version: 1,
      aggregateType: "organisation",
      aggregateId: uuid(organisationId),
      payload: { organisationId: uuid(organisationId) },
      headers: { actor: like("system") },
      occurredAt: regex(MOMENT, "2026-01-02T03:04:05.678Z"),
    })
    .verify(async (message) => {
      const event = toReceived(message.contents as unknown as DomainEvent);
      const handler = localConsumers.get(names.consumer)?.byKey.get(organisationDeleted.key);
      await withSystem("test", (tx) => handler?.(tx, event) ?? Promise.reject(new Error("no handler")));
      const jobs = await systemQuery(
        "test",
        "select 1 from events.outbox where type = 'vectors:purge-tenant' and payload ->> 'organisationId' = $1",
        [organisationId],
      );
      expect(jobs).toHaveLength(1);
    });

  const [file = ""] = readdirSync(dir);
  const provider = new MessageProviderPact({
    provider: names.provider,
    pactUrls: [join(dir, file)],
    logLevel: "error",
    messageProviders: { [DESCRIPTION]: () => sent(newId()) },
  });
  await provider.verify();

  // The same without what the consumer needs is refused.
  const broken = new MessageProviderPact({
    provider: names.provider,
    pactUrls: [join(dir, file)],
    logLevel: "error",
    messageProviders: { [DESCRIPTION]: async () => ({ ...(await sent(newId())), payload: { id: newId() } }) },
  });
  await expect(broken.verify()).rejects.toThrow();
});
