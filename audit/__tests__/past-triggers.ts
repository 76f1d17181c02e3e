// What somebody can do who owns the tables: past the triggers that bind the app's login.
import { ownerPool } from "../../db/__tests__/owner";
import { systemQuery } from "../../db/tenant";

const set = async (what: "disable" | "enable"): Promise<void> => {
  for (const table of ["entry", "head"]) await ownerPool().query(`alter table audit.${table} ${what} trigger user`);
};

/** Runs the statements one after the other, each with the same parameters. */
export async function pastTriggers(statements: readonly string[], params: unknown[]): Promise<void> {
  await set("disable");
  for (const sql of statements) await systemQuery("test", sql, params);
  await set("enable");
}
