// Whether the database answers, asked over a connection of its own: the pool's may all be in use, which is load and no
// reason to be taken out of service. At most one connection and one question at a time, both with an end: a database
// that hangs instead of failing costs one time limit, and the connection is thrown away with it.
import pg from "pg";

export interface ConnectionProbe {
  /** Resolves when the database has answered; rejects when it has not within the time limit. */
  check(): Promise<void>;
  close(): void;
}

/** A probe of the database at `connectionString`; connects on the first check and keeps its connection while it works. */
export function createConnectionProbe(connectionString: string, timeoutMs: number): ConnectionProbe {
  let client: pg.Client | undefined;
  let underWay: Promise<void> | undefined;

  const drop = (which: pg.Client | undefined): void => {
    if (client === which) client = undefined;
    // end() would wait for a server that may never answer.
    which?.connection.stream.destroy();
  };
  const ask = async (): Promise<void> => {
    const asked = client ?? connectionTo(connectionString, timeoutMs, drop);
    const isNew = client !== asked;
    client = asked;
    try {
      if (isNew) await asked.connect();
      await asked.query("select 1");
    } catch (error) {
      drop(asked);
      throw error;
    }
  };
  return {
    check: () => (underWay ??= ask().finally(() => (underWay = undefined))),
    close: () => drop(client),
  };
}

function connectionTo(connectionString: string, timeoutMs: number, onLost: (client: pg.Client) => void): pg.Client {
  const client = new pg.Client({
    connectionString,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
    application_name: "groundwork-probe",
    keepAlive: true,
  });
  client.on("error", () => onLost(client));
  return client;
}
