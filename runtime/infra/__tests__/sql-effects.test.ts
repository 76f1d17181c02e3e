import { expect, test } from "vitest";
import { startupSettings } from "../embedded/server";
import { effectsOf } from "../embedded/sql-effects";

const changes = (sql: string) => effectsOf(sql).settings;

test.each([
  ["SET search_path = a", true],
  ["set session statement_timeout to 5", true],
  ["/* a comment */ -- and one more\n SET x.y = 1", true],
  ["select 1; RESET ALL", true],
  ["select set_config('app.tenant', $1, false)", true],
  ["select set_config('app.tenant', 'a,b', $2)", true],
  ["SET LOCAL role x", false],
  ["SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", false],
  ["SET CONSTRAINTS ALL DEFERRED", false],
  ["update t set a = 1 where b = 2", false],
  ["select set_config('app.tenant', $1, true)", false],
  ["select set_config('app.tenant', coalesce($1, ''), true), set_config('app.user', $2, true)", false],
  ["insert into t (a) values ('reset all') on conflict do update set a = 1", false],
])("%s changes the session: %s", (sql, expected) => {
  expect(changes(sql)).toBe(expected);
});

test("two-part settings are named, because pg_settings does not list them", () => {
  expect(effectsOf("SET app.tenant = 'x'").customSettings).toEqual(["app.tenant"]);
  expect(effectsOf("select set_config('app.user', $1, false)").customSettings).toEqual(["app.user"]);
});

test("channels are folded to lower case unless quoted", () => {
  expect(effectsOf('LISTEN Jobs; LISTEN "Other ""one"""').listen).toEqual(["jobs", 'Other "one"']);
  expect(effectsOf("UNLISTEN *").unlisten).toEqual(["*"]);
});

test("only COPY from the client is recognised as such", () => {
  expect(effectsOf("COPY t (a, b) FROM STDIN WITH (FORMAT csv)").copyFromClient).toBe(true);
  expect(effectsOf("COPY t TO STDOUT").copyFromClient).toBe(false);
  expect(effectsOf("select 1; copy t from stdin").copyFromClient).toBe(true);
});

test("what stands in a literal or a comment is not taken for a statement", () => {
  const none = { settings: false, copyFromClient: false, discardAll: false, listen: [] };
  expect(effectsOf("insert into t values ('; copy t from stdin; discard all; set a = 1; listen x')")).toMatchObject(
    none,
  );
  expect(effectsOf("do $x$ begin; set a = 1; end $x$ -- ; listen x")).toMatchObject(none);
  expect(effectsOf("insert into t values (E'it\\'s; discard all')")).toMatchObject(none);
  expect(effectsOf(" discard all; ").discardAll).toBe(true);
  expect(effectsOf("insert into t values (1); discard all").discardAll).toBe(false);
});

test("the startup parameter `options` is read in both of its spellings", () => {
  expect([...startupSettings("-c search_path=a\\ b,c --statement-timeout=5")]).toEqual([
    ["search_path", "a b,c"],
    ["statement_timeout", "5"],
  ]);
});
