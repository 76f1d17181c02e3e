// The one way in which commands and the start connect to a Postgres server: with an end. A server that accepts and never
// says a word (a proxy without its database, a host that has stopped) would keep them for ever.
import pg from "pg";

export const CONNECT_LIMIT_MS = 10_000;

/**
 * A connected client, for its caller to end. It reports the loss of its connection to whoever asks it next.
 * @throws what the driver says, or that the server does not answer
 */
export async function connect(url: string, applicationName: string, limitMs = CONNECT_LIMIT_MS): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    application_name: applicationName,
    connectionTimeoutMillis: limitMs,
    keepAlive: true,
  });
  client.on("error", () => undefined);
  await client.connect().catch((error: unknown) => {
    // What the driver calls its own limit (pg/lib/client.js). A clock of ours would not do: timers end up to a millisecond early.
    const isLate = error instanceof Error && error.message === "timeout expired";
    throw isLate ? new Error(`the server accepts connections but does not answer within ${limitMs} ms`) : error;
  });
  return client;
}
