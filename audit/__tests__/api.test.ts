import { audit } from "~encore/clients";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { withTenant } from "../../db/tenant";
import { createCaller } from "../../testing";
import { defineAction } from "../action";
import { exportEntries } from "../export";
import { record } from "../record";
import { pastTriggers } from "./past-triggers";

const always = { mayGoOn: () => Promise.resolve(true) };
const renamed = defineAction("test.thing.renamed", { count: "plain", name: "personal" });

async function organisationWith(entries: number): Promise<ReturnType<typeof createCaller>> {
  const owner = createCaller("owner");
  await withTenant(owner.principal, async (tx) => {
    for (let n = 1; n <= entries; n++)
      await record(tx, renamed, { target: { type: "thing", id: `t${n}` }, fields: { count: n, name: `Ada ${n}` } });
  });
  return owner;
}

describe("the audit log's endpoints", () => {
  test("list page by page; who may not see what is personal, does not", async () => {
    const owner = await organisationWith(5);
    const seen: number[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await audit.listEntries({ limit: 2, ...(cursor === undefined ? {} : { cursor }) }, owner);
      seen.push(...page.entries.map(({ seq }) => seq));
      if ((cursor = page.next) === undefined) break;
    }
    expect(seen).toEqual([5, 4, 3, 2, 1]);
    const asOwner = await audit.listEntries({ limit: 1 }, owner);
    const asAdmin = await audit.listEntries({ limit: 1 }, createCaller("admin", owner));
    expect(asOwner.entries[0]).toMatchObject({ target: { type: "thing", id: "t5" }, personal: { name: "Ada 5" } });
    expect(asAdmin.entries[0]).toMatchObject({ fields: { count: 5 }, personal: { name: "[personal]" } });
  });

  test("show another organisation nothing", async () => {
    await organisationWith(1);
    const stranger = createCaller("owner");
    expect(await audit.listEntries({}, stranger)).toEqual({ entries: [] });
    expect(await audit.verify({}, stranger)).toEqual({ checked: 0, through: 0, isDone: true });
  });

  test("check the chain", async () => {
    const owner = await organisationWith(3);
    expect(await audit.verify({}, owner)).toEqual({ checked: 3, through: 3, isDone: true });
    // Behind the end nothing is missing.
    for (const after of [3, 4, 99])
      expect(await audit.verify({ after }, owner)).toEqual({ checked: 0, through: 3, isDone: true });
    expect(await audit.verify({ after: 99 }, createCaller("owner"))).toEqual({ checked: 0, through: 0, isDone: true });
  });

  test("say of an entry that cannot be read that the log is broken, as the command does", async () => {
    const owner = await organisationWith(2);
    const { tenantId } = owner.principal;
    await pastTriggers(["update audit.entry set at = 'infinity' where tenant_id = $1 and seq = 2"], [tenantId]);
    const broken = { seq: 1, what: "unreadable" };
    expect(await audit.verify({}, owner)).toEqual({ checked: 0, through: 0, isDone: true, broken });
    // What nothing can read is in the way of the suites that follow.
    await pastTriggers(["delete from audit.entry where tenant_id = $1"], [tenantId]);
  });

  test("write the whole log out, oldest first, with its last hash", async () => {
    const owner = await organisationWith(3);
    const out = new PassThrough({ highWaterMark: 64 });
    const [written] = await Promise.all([text(out), exportEntries(owner.principal, out, always)]);
    const lines = written
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.slice(0, 3).map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(lines[3]).toEqual({ entries: 3, lastHash: lines[2]?.hash });
  });

  test("stop writing when the reader has left", async () => {
    const owner = await organisationWith(3);
    const out = new PassThrough({ highWaterMark: 1 });
    const writing = exportEntries(owner.principal, out, always);
    out.destroy();
    await writing;
    expect(out.readableLength).toBe(0);
  });
});
