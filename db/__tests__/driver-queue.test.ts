// The driver is asked one thing at a time, whatever becomes of it.
import { expect, test } from "vitest";
import { tenantIdFrom } from "../../security/principal";
import { newId } from "../ids";
import { systemQuery, tenantQuery, withSystem, withTenant } from "../tenant";
import { watchDriver } from "./driver-watch";

const one = { tenantId: tenantIdFrom(newId()) };
const insertTwice = "insert into queues.tenant_turn (tenant_id, queue, finish_tag) values ($1, 'q', 1), ($1, 'q', 1)";
const refused = (work: Promise<unknown>): Promise<unknown> => expect(work).rejects.toThrow();

// Each leaves a connection that the next one takes at once.
const ways: Record<string, () => Promise<unknown>> = {
  "a statement alone": () => tenantQuery(one, "select 1"),
  "a statement alone that leaves something": () => systemQuery("test", "set search_path = pg_catalog"),
  "a statement alone that fails": () => refused(tenantQuery(one, "select 1 / 0")),
  "a statement alone that fails and may leave something": () => refused(systemQuery("test", "set search_path = 1 / 0")),
  "a transaction": () => withTenant(one, (tx) => tx.query("select 1")),
  "a transaction that leaves something": () =>
    withSystem("test", (tx) => tx.query("select set_config('a.b', 'c', false)")),
  "a transaction whose statement fails": () =>
    refused(withTenant(one, (tx) => tx.execute(insertTwice, [one.tenantId]))),
  "a transaction whose last statement fails": () =>
    refused(withTenant(one, (tx) => Promise.resolve(tx.executeLater(insertTwice, [one.tenantId])))),
  "a transaction that catches its failure": () =>
    refused(withTenant(one, (tx) => tx.query("select 1 / 0").catch(() => undefined))),
  "a body that fails before it asks": () => refused(withTenant(one, () => Promise.reject(new Error("no")))),
  "a body whose statement is refused unsent": () => refused(withTenant(one, (tx) => tx.query("commit"))),
  "a body that fails with something unsent": () =>
    refused(
      withTenant(one, (tx) => {
        tx.executeLater("select 1");
        return Promise.reject(new Error("no"));
      }),
    ),
  "statements side by side": () => withTenant(one, (tx) => Promise.all([tx.query("select 1"), tx.query("select 2")])),
};

test.each(Object.keys(ways))("%s, three times and before anything else", async (way) => {
  const act = ways[way] ?? expect.fail(way);
  // What is asked once in a process is over.
  await tenantQuery(one, "select 1");
  const queued = watchDriver();
  for (let time = 0; time < 3; time++) await act();
  for (const next of Object.values(ways)) {
    await act();
    await next();
  }
  expect(queued).toEqual([]);
});
