// The attack itself, on any pool: a victim with secrets, an attacker who runs the generated statements, and a third
// tenant who gets the connection after each attempt.
import { expect } from "vitest";
import type pg from "pg";
import { withSystem, withTenant } from "../tenant";
import type { Isolation } from "../scope";
import { randomFrom } from "../../security/__tests__/random";
import { allRows } from "./all-rows";
import { attempt, EVIL_SCHEMAS, hostileStatements, lookAround, namesOf, newTenant } from "./hostile-statements";
import { differences, type Victim } from "./victim";

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
/** What one attempt leaves, and the reset behind it does not take, is there for those behind it too. */
const WHOLE_EVERY = 20;
const UNCHANGED_EVERY = 500;

/** A connection that its own settings have ended fails its statements, and is not used again. */
async function connect(pool: pg.Pool): Promise<pg.PoolClient> {
  const client = await pool.connect();
  if (client.listenerCount("error") === 0) client.on("error", () => undefined);
  return client;
}

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
  const before = await allRows();
  const own: Victim = { marker: secret, ids: [victim], attackers: [attacker, next] };
  const policies = async (): Promise<unknown> =>
    (
      await ownerPool.query(
        "select (select jsonb_agg(c order by c.hash) from db.capability c) as tokens, (select jsonb_agg(k order by k.id) from db.master_key k) as keys",
      )
    ).rows;
  const [knownPolicies, names] = [await policies(), await namesOf(ownerPool, victim, owner)];
  const unchanged = async (name: string): Promise<void> => {
    expect(differences(before, await allRows(), own), `changed up to ${name}`).toEqual([]);
    expect(await policies(), `changed up to ${name}`).toEqual(knownPolicies);
  };
  const tokens = (): Promise<unknown> =>
    withSystem("test", (tx) => tx.query("select db.current_tenant() as tenant, db.is_system() as system"));
  const known = await tokens();

  const random = randomFrom(seed);
  const expected: Record<string, unknown>[] = [];
  for (let number = 0; number < count; number++) {
    const statements = hostileStatements(random, names);
    const name = `seed ${seed}, attempt ${number}: ${statements.join("; ")}`;
    const client = await connect(pool);
    const { text } = await attempt(client, isolation, attacker, statements);
    client.release();
    if (text.includes(secret)) throw new Error(`read another tenant's row: ${name}\n${text.slice(0, 500)}`);
    const after = await connect(pool);
    const whole = number % WHOLE_EVERY === 0;
    const found = await lookAround(after, isolation, next, whole);
    after.release();
    expect(found, name).toEqual((expected[Number(whole)] ??= found));
    if (number % UNCHANGED_EVERY === UNCHANGED_EVERY - 1) await unchanged(name);
  }
  const clean = { is_own: true, is_system: false, turns: 1, held: 0, temporary: 0, locks: 0, prepared: 0, channels: 0 };
  for (const found of expected) expect(found).toMatchObject(clean);
  await unchanged("the end");
  expect(await tokens()).toEqual(known);
  // Files that share a database with this one look at every schema.
  await ownerPool.query(EVIL_SCHEMAS.map((schema) => `drop schema if exists ${schema} cascade`).join("; "));
}
