// What the isolation claims rest on, in a short form for every change: the suites of every-endpoint.pg.test.ts and others for
// native servers, by the same kits, with smaller counts and a seed that stays, on one running app.
import { afterAll, beforeAll } from "vitest";
import { AppDB } from "../../../database";
import { systemQuery, withSystem } from "../../../db/tenant";
import { masterKeyOfTests } from "../../../security/derived-key";
import { splitStatements } from "../../commands/sql-statements";
import { foreignAndMissing } from "./foreign-and-missing";
import { hostileRequests } from "./hostile-requests";
import { keyChanges } from "./key-changes";
import { permissionMatrix } from "./permission-matrix";
import { slowExports } from "./slow-exports";
import { someAttacks } from "./some-attacks";
import { commandsBeside, type CommandsBeside } from "./support/commands-beside";
import { startMailSink, type MailSink } from "./support/fuzz/mail-sink";
import { plantInEnvironment, type Planted } from "./support/fuzz/planted";
import { plantThings } from "./support/pairs/world";
import { type RunningApp, startApp, temporaryStateDir } from "./support/running-app";

const seed = 20_261_130;
const state = temporaryStateDir();
const masterKey = masterKeyOfTests?.() ?? "";
const parts = { DATABASE_URL: AppDB.connectionString, MasterKey: masterKey };
const { admin } = commandsBeside(state.path, parts);
const planted: Planted = new Map();
let mails: MailSink;
let app: RunningApp;
const baseUrl = (): string => app.baseUrl;

beforeAll(async () => {
  planted.set(masterKey, "MasterKey");
  mails = await startMailSink(planted);
  // A copy of the database opens at its first connection: the app waits for an answer for ten seconds, which a busy machine may take.
  await systemQuery("test", "select 1");
  const rest = { LIMIT_SCALE: "1000000", LOG_LEVEL: "trace", DB_STATEMENT_TIMEOUT_MS: "60000" };
  app = await startApp(state.path, {
    ...{ ...parts, ...rest },
    ...mails.env,
    ...plantInEnvironment(planted),
  });
});

afterAll(async () => {
  await app?.killTree();
  await mails?.close();
  state.remove();
});

/** Of the links in mails: there are invitations alone before the requests below. */
const mailed = (email: string): Promise<string> => mails.token(email, "/accept-invitation");
const database = { query: <R>(sql: string, params: unknown[]) => systemQuery<R>("test", sql, params) };
let owners = 0;
/** Of an organisation of their own. */
async function registerOwner(): Promise<{ organisationId: string; token: string }> {
  const email = `owner${++owners}@slow-exports.example`;
  const answer = await fetch(`${baseUrl()}/auth/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email, password: "a passphrase of many words", organisation: "Slow" }),
  });
  const made = (await answer.json()) as { accessToken: string; organisation: { id: string } };
  return { organisationId: made.organisation.id, token: made.accessToken };
}
/** No login of a command has more rights here than the app's. */
const sql: CommandsBeside["sql"] = (script) =>
  withSystem("test", async (tx) => {
    for (const statement of splitStatements(script).statements) await tx.query(statement);
    return "";
  });

/** Every table that the app itself can read, as text. */
async function readableRows(): Promise<string> {
  const tables = await systemQuery<{ name: string }>(
    "test",
    `select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema') and has_schema_privilege(n.oid, 'usage')
       and has_table_privilege(c.oid, 'select')`,
  );
  const texts: string[] = [];
  for (const { name } of tables)
    for (const { row } of await systemQuery<{ row: string }>("test", `select t::text as row from ${name} t`))
      texts.push(row);
  return texts.join("\n");
}

keyChanges({ baseUrl, masterKey, seed });
slowExports({ baseUrl, register: registerOwner, query: database.query });
foreignAndMissing({ baseUrl, mailed, plant: (world) => plantThings(database, world), draw: { things: 2, seed } });
someAttacks({ baseUrl, query: database.query, count: 300, seed });
permissionMatrix({ baseUrl, mailed, commands: { admin, sql } });
hostileRequests({
  app: () => app,
  planted,
  mails: () => mails,
  admin,
  requests: 700,
  people: 1,
  seed,
  places: async () => ({ tables: await readableRows() }),
});
