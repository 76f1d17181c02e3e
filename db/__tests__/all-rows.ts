// All rows of tenants and people, as the system's scope sees them: for judges that compare before and after (victim.ts).
import { systemQuery } from "../tenant";
import { isOfNobody, readTables } from "./catalogue";
import { ownerPool } from "./owner";
import { rowsOfTable, type Rows } from "./victim";

export async function allRows(): Promise<Rows> {
  const client = await ownerPool().connect();
  try {
    // How often the app acted as the system is counted for every tenant together; what an attacker made is the attacker's.
    const tables = (await readTables(client)).filter(
      ({ kind, name }) => kind === "r" && !isOfNobody(name) && name !== "db.system_use" && !/^evil_\d\./.test(name),
    );
    const found = new Map<string, string[]>();
    for (const { name } of tables) {
      const rows = await systemQuery<{ row: string }>("test", rowsOfTable(name), [], { statementTimeoutMs: 60_000 });
      found.set(
        name,
        rows.map(({ row }) => row),
      );
    }
    return found;
  } finally {
    client.release();
  }
}
