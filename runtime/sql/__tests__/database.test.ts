// What SQLDatabase promises beyond the recorded answers of the official runtime: the four things that one gets
// wrong (Appendix B, SQL), and values at their limits. On the embedded database, or on a native one when
// GROUNDWORK_TEST_POSTGRES_URL names it.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { lineTo } from "../../infra/__tests__/silent-line";
import { until } from "../../infra/__tests__/support";
import { QueryArgs, type SqlDatabase } from "../native-classes";
import { all, databasesAt, DecimalText, freshDatabase, one } from "./support";

let drop: () => Promise<void>;
let host: ReturnType<typeof databasesAt>;
let db: SqlDatabase;
let url: string;

beforeAll(async () => {
  ({ host, db, url, drop } = await freshDatabase());
  await all(db, "create table kept (id int primary key, note text)");
});
afterAll(() => drop());

const failure = (work: Promise<unknown>): Promise<Error & { code?: string; sqlState?: string }> =>
  work.then(
    () => Promise.reject(new Error("it did not fail")),
    (error: unknown) => error as Error,
  );

test("a cursor left after one row, or not read at all, holds up nobody", async () => {
  for (let round = 0; round < 12; round++) {
    const cursor = await db.query(
      "select generate_series(1, 20000) as n, repeat('x', 100) as filler",
      new QueryArgs([]),
    );
    await cursor.next();
  }
  expect(await one(db, "select 1 as v")).toBe(1);
});

test("queries inside the loop over a large result are answered, also in a transaction", async () => {
  const loop = async (on: Pick<SqlDatabase, "query">): Promise<number> => {
    const cursor = await on.query(
      "select generate_series(1, 100000) as n, repeat('x', 100) as filler",
      new QueryArgs([]),
    );
    await cursor.next();
    expect(await one(on, "select 2 as v")).toBe(2);
    let rows = 1;
    while (await cursor.next()) rows++;
    return rows;
  };
  expect(await loop(db)).toBe(100_000);
  const transaction = await db.begin();
  expect(await loop(transaction)).toBe(100_000);
  await transaction.rollback();
});

test("a server that says nothing any more is given up, and the next statement has another connection", async () => {
  const line = await lineTo(url);
  const behind = databasesAt({ app: line.url }, 1_000);
  const far = behind.database("app");
  expect(await one(far, "select 1 as v")).toBe(1);
  line.isSilent = true;
  await failure(all(far, "select 2 as v"));
  line.isSilent = false;
  expect(await one(far, "select 3 as v")).toBe(3);
  await behind.close();
  line.close();
});

test("commit of a transaction that an error has aborted is an error", async () => {
  const transaction = await db.begin();
  await all(transaction, "insert into kept values (1, 'lost')");
  await failure(all(transaction, "select 1/0 as v"));
  expect((await failure(transaction.commit())).message).toMatch(/was not committed/);
  expect(await one(db, "select count(*) from kept where id = 1")).toBe(0);
  expect((await failure(transaction.commit())).message).toBe("transaction closed");
});

test("what a connection has set does not reach its next user", async () => {
  const connection = await db.acquire();
  await all(connection, "set application_name = 'leaked'");
  await all(connection, "begin");
  await all(connection, "insert into kept values (2, 'open')");
  await connection.close();
  await connection.close();
  expect((await failure(all(connection, "select 1"))).message).toBe("connection_closed");
  const held = await Promise.all(Array.from({ length: 5 }, () => db.acquire()));
  const names = await Promise.all(held.map((each) => one(each, "select current_setting('application_name')")));
  await Promise.all(held.map((each) => each.close()));
  expect(new Set(names)).toEqual(new Set(["encore"]));
  expect(await one(db, "select count(*) from kept where id = 2")).toBe(0);
});

test("a transaction that is forgotten is rolled back with a warning, and its connection returns", async () => {
  const forget = async (): Promise<void> => {
    const transaction = await db.begin();
    await all(transaction, "insert into kept values (3, 'forgotten')");
  };
  await forget();
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  await until(() => {
    collect();
    return host.warnings.length > 0;
  });
  expect(host.warnings).toEqual(["transaction not completed, forcing rollback"]);
  expect(await one(db, "select count(*) from kept where id = 3")).toBe(0);
});

test("types learned from an earlier use of a text survive a change of the table", async () => {
  await all(db, "create table changing (v int)");
  await all(db, "insert into changing values ($1)", 1);
  await all(db, "insert into changing values ($1)", 2);
  await all(db, "drop table changing");
  await all(db, "create table changing (v jsonb)");
  await all(db, "insert into changing values ($1)", { a: 1 });
  expect(await all(db, "select v from changing")).toEqual([{ v: { a: 1 } }]);
  await all(db, "create type mood as enum ('sad', 'ok')");
  expect(await one(db, "select $1::mood", "ok")).toBe("ok");
  await all(db, "drop type mood");
  await all(db, "create type mood as enum ('new')");
  expect(await one(db, "select $1::mood", "new")).toBe("new");
});

test.each([
  ["numeric", "1e-7", "0.0000001"],
  ["numeric", "-12345678901234567890.000100", "-12345678901234567890.0001"],
  ["numeric", "10000", "10000"],
  ["numeric", "0.00000001", "0.00000001"],
  ["int8", -9223372036854775808n, "-9223372036854775808"],
  ["inet", "2001:db8::1/64", "2001:db8::1/64"],
  ["inet", "::ffff:10.1.2.3", "::ffff:10.1.2.3/128"],
  ["cidr", "10.0.0.0/8", "10.0.0.0/8"],
  ["timestamptz", "2024-02-29T23:59:59.123456+02:00", "2024-02-29 21:59:59.123456+00"],
  ["timestamp", "1969-12-31T23:59:59.999999", "1969-12-31 23:59:59.999999"],
  ["date", "0001-01-01", "0001-01-01"],
  ["time", "23:59:60", "24:00:00"],
  ["text[]", ["a,b", '"', "\\", "NULL", null], '{"a,b","\\"","\\\\","NULL",NULL}'],
])("a %s parameter given as %o is stored as %s", async (type, given, stored) => {
  const connection = await db.acquire();
  await all(connection, "set timezone = 'UTC'");
  expect(await one(connection, `select $1::${type}::text`, given)).toBe(stored);
  await connection.close();
});

test("arrays come back element by element, whatever their elements hold", async () => {
  expect(await one(db, "select $1::text[]", ["a,b", '"', "\\", "NULL", "", null, "{x}"])).toEqual([
    "a,b",
    '"',
    "\\",
    "NULL",
    "",
    null,
    "{x}",
  ]);
  expect(await one(db, "select '{}'::int[]")).toEqual([]);
  expect(await one(db, "select array['2024-01-31 12:00:00+05:30'::timestamptz]")).toEqual([
    new Date("2024-01-31T06:30:00Z"),
  ]);
});

test("times are read right in any time zone of the session", async () => {
  const connection = await db.acquire();
  await all(connection, "set timezone = 'Asia/Kolkata'");
  expect(await one(connection, "select '2024-01-31T00:00:00Z'::timestamptz")).toEqual(new Date("2024-01-31T00:00:00Z"));
  expect(await one(connection, "select '0044-03-15 12:00:00Z BC'::timestamptz")).toEqual(
    new Date("-000043-03-15T12:00:00Z"),
  );
  await connection.close();
});

test("numbers beyond 2^53 in JSON stay exact, and numerics are Decimals", async () => {
  expect(
    await one(db, `select '{"a": [9007199254740993, 1.5, "12345678901234567890", {}, []], "__proto__": 1}'::jsonb`),
  ).toEqual(
    Object.fromEntries([
      ["a", [9007199254740993n, 1.5, "12345678901234567890", {}, []]],
      ["__proto__", 1],
    ]),
  );
  expect(await one(db, "select 100.50::numeric")).toEqual(new DecimalText("100.5"));
});

test("an error carries its SQLSTATE for those who ask, without showing it", async () => {
  await all(db, "insert into kept values (9, 'first')");
  const error = await failure(all(db, "insert into kept values (9, 'again')"));
  expect(error.code).toBe("GenericFailure");
  expect(error.sqlState).toBe("23505");
  expect(Object.keys(error)).toEqual(["code"]);
});

test("a database this process does not have fails when it is used, not when it is named", async () => {
  const missing = host.database("missing");
  expect(() => missing.connString()).toThrow("this database is not configured for use by this process");
  expect((await failure(all(missing, "select 1"))).message).toBe(
    "this database is not configured for use by this process",
  );
});

test("COPY in either direction is refused and leaves the connection usable", async () => {
  expect((await failure(all(db, "copy kept to stdout"))).message).toMatch(/UnexpectedMessage/);
  await failure(all(db, "copy kept from stdin"));
  expect(await one(db, "select 1 as v")).toBe(1);
});
