// Whoever else is connected while a database is restored would read half of it, and write between its rows.
import { setTimeout as sleep } from "node:timers/promises";
import { InfraError } from "../infra";
import type { DatabaseSession, TextRow } from "./database-session";

/** A login without pg_read_all_stats sees neither the kind nor the name of others' sessions; only people's have a user. */
const others = `select coalesce(nullif(application_name, ''), 'without a name')
  from pg_catalog.pg_stat_activity
  where datname = pg_catalog.current_database() and pid <> pg_catalog.pg_backend_pid() and usesysid is not null
    and coalesce(backend_type, 'client backend') = 'client backend'
  order by 1`;

/** A session that was closed is listed for a moment longer. */
const PAUSE_MS = 100;
const TRIES = 20;

/** As they are now: a transaction otherwise sees for all its time what it saw at its first look. */
async function othersOf(session: DatabaseSession): Promise<TextRow[]> {
  await session.query("select pg_catalog.pg_stat_clear_snapshot()");
  return session.query(others);
}

/** @throws InfraError naming them. The embedded database has one session, and a lock of its own against other processes. */
export async function refuseOtherSessions(
  session: DatabaseSession,
  { name, isEmbedded }: { name: string; isEmbedded: boolean },
  left: string,
): Promise<void> {
  if (isEmbedded) return;
  let found = await othersOf(session);
  for (let tries = 1; found.length > 0 && tries < TRIES; tries++) {
    await sleep(PAUSE_MS);
    found = await othersOf(session);
  }
  if (found.length === 0) return;
  const names = [...new Set(found.map((row) => row[0]))].join(", ");
  throw new InfraError(
    `${found.length} other ${found.length === 1 ? "session uses" : "sessions use"} the database ${name} (${names}): what they write would mix with what is restored\n  Stop the app and whatever else is connected, and try again; pg_stat_activity lists them. ${left}`,
  );
}
