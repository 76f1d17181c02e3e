// SQL databases of one app process. Names the model does not have get an object all the same: constructing
// one never fails, using it does (13.2).
import type { Host, Part } from "../host";
import { Database } from "./database";
import { SqlDatabase } from "./native-classes";

/** Milliseconds a draining process waits for connections that are still in use. */
const drainMs = 5_000;

export function createDatabases(host: Host, silenceMs?: number): Part & { database(name: string): SqlDatabase } {
  const databases = new Map<string, Database>();
  return {
    name: "sql",
    // Pools open at their first use (D-10).
    start: () => Promise.resolve(),
    async drain() {
      const closed = Promise.all([...databases.values()].map((database) => database.close()));
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, drainMs).unref())]);
    },
    database(name) {
      let database = databases.get(name);
      if (!database) databases.set(name, (database = new Database(name, host, silenceMs)));
      return new SqlDatabase(database);
    },
  };
}
