// Installs what the host adds to BullMQ's tables, once per version of it, however many processes start together.
import { createHash } from "node:crypto";
import type { Pool, PoolClient } from "pg";
import { brokerStatements } from "./postgres-functions";

/** Stands as a comment on the last function: equal means that everything is as this version wants it. */
const fingerprint = createHash("sha256").update(brokerStatements.join("\n")).digest("hex");

const installed =
  "select obj_description(to_regprocedure('groundwork.pubsub_reclaim(text, integer)'), 'pg_proc') as fingerprint";

async function isInstalled(client: Pool | PoolClient): Promise<boolean> {
  const found = await client.query<{ fingerprint: string | null }>(installed);
  return found.rows[0]?.fingerprint === fingerprint;
}

async function install(client: PoolClient): Promise<void> {
  await client.query("begin");
  try {
    await client.query("select pg_advisory_xact_lock(hashtext('groundwork.pubsub'), 0)"); // several processes may start at once
    if (!(await isInstalled(client))) {
      for (const statement of brokerStatements) await client.query(statement);
      await client.query(`comment on function groundwork.pubsub_reclaim(text, integer) is '${fingerprint}'`);
    }
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => undefined);
    throw error;
  }
}

/** Needs BullMQ's own tables. Changes nothing when this version's functions are there. */
export async function installPubSub(pool: Pool): Promise<void> {
  if (await isInstalled(pool)) return;
  const client = await pool.connect();
  try {
    await install(client);
  } finally {
    client.release();
  }
}
