// The attack itself, on any pool: a victim with secrets, an attacker who runs the generated statements, and a third
// tenant who gets the connection after each attempt.
import { expect } from "vitest";
import type pg from "pg";
import { tenantQuery, withSystem, withTenant } from "../tenant";
import type { Isolation } from "../scope";
import { attempt, EVIL_SCHEMAS, hostileStatements, lookAround, newTenant } from "./hostile-statements";
import { randomFrom } from "../../security/__tests__/random";

interface Attack {
  /** The attacker's login. */
  pool: pg.Pool;
  isolation: Isolation;
  /** Of the tables' owner. */
  ownerPool: pg.Pool;
  owner: string;
  count: number;
  seed: number;
}

const PLANTED = 40;

/** Runs `count` attempts; throws naming seed, number and statements of the first that read, changed or left something. */
export async function attackAll({ pool, isolation, ownerPool, owner, count, seed }: Attack): Promise<void> {
  const [victim, attacker, next] = [newTenant(), newTenant(), newTenant()];
  const secret = `victims-secret-${victim.slice(-6)}`;
  await withTenant({ tenantId: victim }, async (tx) => {
    await tx.execute("insert into auth.organisation (id, name) values ($1, $2)", [victim, secret]);
    await tx.execute(
      `insert into queues.tenant_turn (tenant_id, queue, finish_tag) select $1, $2 || '-' || n, n from generate_series(1, ${PLANTED}) n`,
      [victim, secret],
    );
    await tx.execute(
      `insert into vectors.document (id, tenant_id, source, title, text, text_hash, status, chunk_count)
       select gen_random_uuid(), $1, $2 || n, $2, $2, 'x', 'pending', 0 from generate_series(1, ${PLANTED}) n`,
      [victim, secret],
    );
  });
  for (const tenantId of [attacker, next])
    await withTenant({ tenantId }, (tx) =>
      tx.execute("insert into queues.tenant_turn (tenant_id, queue, finish_tag) values ($1, 'own', 1)", [tenantId]),
    );
  // Statistics are what a login with pg_read_all_data can read.
  await ownerPool.query("analyze");
  const victims = (): Promise<unknown> =>
    tenantQuery(
      { tenantId: victim },
      `select (select jsonb_agg(to_jsonb(t) order by queue) from queues.tenant_turn t) as turns, (select jsonb_agg(to_jsonb(o)) from auth.organisation o) as organisations,
              (select jsonb_agg(to_jsonb(d) order by source) from vectors.document d) as documents`,
    );
  const before = await victims();
  const tokens = (): Promise<unknown> =>
    withSystem("test", (tx) => tx.query("select db.current_tenant() as tenant, db.is_system() as system"));
  const known = await tokens();

  const random = randomFrom(seed);
  let expected: Record<string, unknown> | undefined;
  for (let number = 0; number < count; number++) {
    const statements = hostileStatements(random, { victim, owner });
    const name = `seed ${seed}, attempt ${number}: ${statements.join("; ")}`;
    const client = await pool.connect();
    const { text } = await attempt(client, isolation, attacker, statements);
    client.release();
    if (text.includes(secret)) throw new Error(`read another tenant's row: ${name}\n${text.slice(0, 500)}`);
    const after = await pool.connect();
    const found = await lookAround(after, isolation, next);
    after.release();
    expected ??= found;
    expect(found, name).toEqual(expected);
    if (number % 100 === 99) expect(await victims(), `changed up to ${name}`).toEqual(before);
  }
  expect(expected).toMatchObject({ is_own: true, is_system: false, turns: 1, held: 0, temporary: 0, locks: 0 });
  expect(await victims()).toEqual(before);
  expect(await tokens()).toEqual(known);
  // Files that share a database with this one look at every schema.
  await ownerPool.query(EVIL_SCHEMAS.map((schema) => `drop schema if exists ${schema} cascade`).join("; "));
}
