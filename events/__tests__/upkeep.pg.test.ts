// Whether upkeep keeps pace: native Postgres, because rates of the embedded one say nothing.
import { describe, expect, it } from "vitest";
import { newId } from "../../db/ids";
import { systemQuery } from "../../db/tenant";
import { discardHeld } from "../consumer-desk";
import { purgeExpired } from "../retention";

const ROWS = 60_000;
/**
 * The pipeline writes 480 events a second where the same machine purges; ten times that is 4,800 rows a second to
 * remove. A run has five of ten minutes for each table. How fast a machine is, no test says: the rate is printed beside this one.
 */
const ROWS_A_SECOND_WANTED = 4_800 / 0.5;

/** What waits for a consumer, a day longer than it is kept. */
const HELD = `insert into events.held (consumer, event_id, tenant_id, position, destination, aggregate_type, aggregate_id, type, version, payload, headers, occurred_at, held_at)
          select $2, gen_random_uuid(), gen_random_uuid(), n, 'event', 'user', gen_random_uuid()::text, 'auth.user.registered', 1, jsonb_build_object('text', repeat('x', 200)),
                 jsonb_build_object('traceparent', repeat('0', 55), 'actor', 'user:' || gen_random_uuid(), 'correlation-id', gen_random_uuid()), now(), now() - interval '91 days'
            from generate_series(1, $1) n`;

const statements = {
  outbox: `insert into events.outbox (id, tenant_id, destination, aggregate_type, aggregate_id, type, version, payload, published_at)
           select gen_random_uuid(), gen_random_uuid(), 'upkeep', 'a', '1', 't', 1, jsonb_build_object('text', repeat('x', 200)), now() - interval '20 days'
             from generate_series(1, $1)`,
  inbox: `insert into events.inbox (consumer, event_id, tenant_id, type, received_at, processed_at)
          select 'upkeep', gen_random_uuid(), gen_random_uuid(), 't', now() - interval '40 days', now() from generate_series(1, $1)`,
  deadLetters: `insert into events.dead_letter (id, tenant_id, consumer, event_id, aggregate_type, aggregate_id, type, version, payload, occurred_at, reason, error, attempts, dead_at)
          select gen_random_uuid(), gen_random_uuid(), 'upkeep', gen_random_uuid(), 'a', '1', 't', 1, '{}', now(), 'r', '', 1, now() - interval '100 days'
            from generate_series(1, $1)`,
};

describe("upkeep", () => {
  it.each(Object.entries(statements))(
    "of %s removes sixty thousand rows in one run, and says how fast",
    async (table, insert) => {
      await systemQuery("test", insert, [ROWS], { statementTimeoutMs: 240_000 });
      const startedAt = performance.now();
      const gone = await purgeExpired();
      const rate = ROWS / ((performance.now() - startedAt) / 1000);
      process.stdout.write(`upkeep of ${table}: ${Math.round(rate)} rows/s, ${ROWS_A_SECOND_WANTED} are wanted\n`);
      expect(gone[table as keyof typeof gone]).toBe(ROWS);
    },
  );

  it("of what waits for consumers removes as much, by retention and by command, and says how large it was", async () => {
    const [kept, discarded] = [`held-${newId()}`, `held-${newId()}`];
    const rateOf = async (what: string, remove: () => Promise<number>): Promise<void> => {
      const startedAt = performance.now();
      expect(await remove()).toBe(ROWS);
      const rate = ROWS / ((performance.now() - startedAt) / 1000);
      process.stdout.write(`${what}: ${Math.round(rate)} rows/s\n`);
    };
    const sizeOf = async (): Promise<number> =>
      Number(
        (await systemQuery<{ size: string }>("test", "select pg_total_relation_size('events.held') as size"))[0]?.size,
      );
    const before = await sizeOf();
    await systemQuery("test", HELD, [ROWS, kept], { statementTimeoutMs: 240_000 });
    process.stdout.write(`a held event takes ${Math.round(((await sizeOf()) - before) / ROWS)} bytes\n`);
    await rateOf(`upkeep of held (${ROWS_A_SECOND_WANTED} are wanted)`, async () => (await purgeExpired()).held);
    await systemQuery("test", HELD, [ROWS, discarded], { statementTimeoutMs: 240_000 });
    await rateOf("discarding of held", () => discardHeld(discarded, "it will not come back"));
  });
});
