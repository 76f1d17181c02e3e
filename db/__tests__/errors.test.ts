// What a database error tells: whom it concerns and who asked, never what stands in a row. Whatever logs, prints or
// traces an error sees the object that is examined here.
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { tenantIdFrom } from "../../security/principal";
import { createLogger } from "../../telemetry/logger";
import { DbError } from "../errors";
import { newId } from "../ids";
import { withTenantPrisma } from "../prisma";
import { systemQuery, tenantQuery, withSystem, withTenant } from "../tenant";

const secret = "alice@example.com";
const stranger = "deadbeef-0000-4000-8000-000000000000";

async function failure(work: Promise<unknown>): Promise<DbError> {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(DbError);
  return thrown as DbError;
}

/** Everything that a person may come to read of an error. */
function everythingSaid(error: DbError): string {
  const lines: string[] = [];
  createLogger({ write: (line) => lines.push(line) }, "error").error({ err: error }, "failed");
  return [...lines, inspect(error, { depth: 20, showHidden: true }), JSON.stringify(error)].join("\n");
}

const table = "pg_temp.person";
const inPerson = (text: string, params: readonly unknown[]): Promise<unknown> =>
  withSystem("test", async (tx) => {
    await tx.query(
      `create temp table person (id uuid primary key, email text constraint person_email_key unique,
         age int not null constraint person_age_check check (age > 0), friend uuid constraint person_friend_fkey references ${table}) on commit drop`,
    );
    await tx.query(`insert into ${table} (id, email, age) values ($1, $2, 1)`, [newId(), secret]);
    return tx.query(text, params);
  });

describe("a database error", () => {
  const insert = `insert into ${table} (id, email, age, friend) values ($1, $2, $3, $4)`;
  const cases: [string, () => Promise<unknown>, object][] = [
    [
      "of a unique constraint",
      () => inPerson(insert, [newId(), secret, 1, null]),
      { kind: "unique_violation", constraint: "person_email_key", table: "person" },
    ],
    [
      "of a check",
      () => inPerson(insert, [newId(), `x${secret}`, -1, null]),
      { kind: "check_violation", constraint: "person_age_check" },
    ],
    [
      "of a missing value",
      () => inPerson(insert, [newId(), `x${secret}`, null, null]),
      { kind: "not_null_violation", column: "age" },
    ],
    [
      "of a foreign key",
      () => inPerson(insert, [newId(), `x${secret}`, 1, stranger]),
      { kind: "foreign_key_violation", constraint: "person_friend_fkey" },
    ],
    ["of a value's form", () => systemQuery("test", "select $1::uuid", [secret]), { kind: "invalid_value" }],
    [
      "of a value with quotes",
      () => systemQuery("test", "select $1::int", [`"${secret}" "`]),
      { kind: "invalid_value" },
    ],
    [
      "of a value's range",
      () => systemQuery("test", "select $1::int2", ["99999123"]),
      { kind: "invalid_value", isOfParameter: true },
    ],
    [
      "of what a statement reckons",
      () => systemQuery("test", "select 2147483647::int + $1::int", [1]),
      { kind: "invalid_value", isOfParameter: false },
    ],
    ["of a date", () => systemQuery("test", "select $1::date", [`2026-13-45 ${secret}`]), { kind: "invalid_value" }],
    ["of a JSON text", () => systemQuery("test", "select $1::text::jsonb", [`{"${secret}`]), { kind: "invalid_value" }],
  ];

  it.each(cases)("%s names what is violated and nothing of the row", async (_name, run, facts) => {
    const error = await failure(run());
    expect(error).toMatchObject(facts);
    expect(everythingSaid(error)).not.toMatch(/alice|example\.com|99999123|deadbeef|Failing row/);
  });

  it("through Prisma too", async () => {
    const id = newId();
    const tenant = { tenantId: tenantIdFrom(id) };
    const error = await failure(
      withTenantPrisma(tenant, async (prisma) => {
        await prisma.organisation.create({ data: { id, name: secret } });
        await prisma.organisation.create({ data: { id, name: secret } });
      }),
    );
    expect(error).toMatchObject({ kind: "unique_violation", sqlState: "23505", constraint: "organisation_pkey" });
    expect(everythingSaid(error)).not.toMatch(/alice/);
    expect(everythingSaid(error)).not.toContain(id);
  });
});

describe("who asked", () => {
  const tenant = { tenantId: tenantIdFrom(newId()) };

  async function rowOfNobody(run: () => Promise<unknown>): Promise<void> {
    await run();
  }

  const ways: [string, () => Promise<unknown>][] = [
    ["withTenant", () => withTenant(tenant, (tx) => tx.query("select nothing from events.outbox"))],
    [
      "withTenant, the second statement",
      () =>
        withTenant(tenant, async (tx) => {
          await tx.query("select 1");
          await tx.execute("select nothing from events.outbox");
        }),
    ],
    [
      "one of several at once",
      () =>
        withTenant(tenant, (tx) => Promise.all([tx.query("select 1"), tx.query("select nothing from events.outbox")])),
    ],
    ["tenantQuery", () => tenantQuery(tenant, "select nothing from events.outbox")],
    ["systemQuery", () => systemQuery("test", "select nothing from events.outbox")],
  ];

  it.each(ways)("is in the stack of the error, with the statement's name: %s", async (_name, run) => {
    const error = await failure(rowOfNobody(run));
    expect(error.statement).toBe("select events.outbox");
    expect(error.stack).toContain("rowOfNobody");
    expect(error.stack).toContain("db/__tests__/errors.test.ts");
    expect(everythingSaid(error)).toContain('"statement":"select events.outbox"');
  });
});
