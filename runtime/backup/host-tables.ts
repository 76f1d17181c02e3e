// The tables that no migration of the app makes, because the host makes them when it first needs them: those of topics,
// jobs and crons. A restore makes them the same way, and as the login whose they were.
import { migrateBroker, createBrokerPool } from "../pubsub/postgres-pool";
import { PostgresLedger } from "../cron/postgres-ledger";
import type { DatabaseHeader } from "./archive-format";
import { DatabaseSession } from "./database-session";

const SILENCE_MS = 60_000;

/** The same server, as another role: what is made then is that role's. */
function actingAs(url: string, role: string): string {
  const changed = new URL(url);
  changed.searchParams.set("options", `-c role=${role.replaceAll("\\", "\\\\").replaceAll(" ", "\\ ")}`);
  return changed.toString();
}

/** @returns whose the tables will be; undefined when they are the login's own, because it can't become the other */
async function ownerFor(url: string, wanted: string): Promise<string | undefined> {
  const session = await DatabaseSession.open(url, "");
  try {
    const [found] = await session.query(
      `select (rolname = current_user)::text, pg_catalog.pg_has_role(current_user, oid, 'member')::text
         from pg_catalog.pg_roles where rolname = $1`,
      [wanted],
    );
    return found?.[0] === "false" && found[1] === "true" ? wanted : undefined;
  } finally {
    await session.close();
  }
}

export interface HostTablesInput {
  /** Connection string of the app's login on the embedded database, else of the one who restores. */
  url: string;
  isEmbedded: boolean;
  log(line: string): void;
}

export async function makeHostTables(
  { tables, hostOwner }: DatabaseHeader,
  { url, isEmbedded, log }: HostTablesInput,
): Promise<void> {
  const has = (schema: string): boolean => tables.some((table) => table.schema === schema);
  if (!has("bullmq") && !has("groundwork")) return;
  const owner = isEmbedded || hostOwner === null ? undefined : await ownerFor(url, hostOwner);
  if (!isEmbedded && hostOwner !== null && owner === undefined)
    log(`tables of topics and jobs, which were those of ${hostOwner}, belong to the login that restores`);
  const as = owner === undefined ? url : actingAs(url, owner);
  if (has("bullmq")) await makeBrokerTables(as);
  if (has("groundwork")) await makeCronTables(as);
}

async function makeBrokerTables(url: string): Promise<void> {
  const pool = createBrokerPool(url, 1, SILENCE_MS);
  await migrateBroker(pool).finally(() => pool.end());
}

async function makeCronTables(url: string): Promise<void> {
  const ledger = new PostgresLedger(url, "restore");
  await ledger.start().finally(() => ledger.close());
}
