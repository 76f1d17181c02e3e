// Settings made with SET belong to a connection; PGlite's one session would share them. They are read
// after a connection has changed some, and swapped when a connection with other ones has its turn.
import type { Engine } from "./engine";
import { simpleQuery } from "./frames";

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const identifier = (name: string): string =>
  name
    .split(".")
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join(".");

/** Settings that RESET ALL leaves alone. */
const roleSettings = ["session_authorization", "role"];

/** What the session has set, including the role and the given two-part settings. */
export async function readSettings(engine: Engine, custom: Iterable<string>): Promise<Map<string, string>> {
  const rows = await engine.ask("SELECT name, setting FROM pg_catalog.pg_settings WHERE source = 'session'");
  const settings = new Map<string, string>();
  for (const [name, value] of rows)
    if (name != null && value != null && !roleSettings.includes(name)) settings.set(name, value);
  const [[role] = []] = await engine.ask("SELECT current_setting('role')");
  if (role != null && role !== "none") settings.set("role", role);
  for (const name of custom) {
    const [[value] = []] = await engine.ask(`SELECT current_setting(${literal(name)}, true)`);
    if (value != null && value !== "") settings.set(name, value);
  }
  return settings;
}

const same = (a: Map<string, string>, b: Map<string, string>): boolean =>
  a.size === b.size && [...a].every(([name, value]) => b.get(name) === value);

/** Takes the engine from one connection's settings to another's; the usual case, both alike, costs nothing. */
export async function applySettings(engine: Engine, from: Map<string, string>, to: Map<string, string>): Promise<void> {
  if (same(from, to)) return;
  const statements = from.has("role") ? ["RESET ROLE"] : [];
  for (const name of from.keys()) if (!to.has(name) && name !== "role") statements.push(`RESET ${identifier(name)}`);
  for (const [name, value] of to)
    if (name !== "role" && from.get(name) !== value)
      statements.push(`SELECT pg_catalog.set_config(${literal(name)}, ${literal(value)}, false)`);
  const role = to.get("role");
  if (role !== undefined) statements.push(`SELECT pg_catalog.set_config('role', ${literal(role)}, false)`);
  for (const statement of statements) await engine.run(simpleQuery(statement));
}
