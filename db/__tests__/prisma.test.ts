import { afterAll, describe, expect, it } from "vitest";
import { newId } from "../ids";
import { withTenant, withSystem } from "../tenant";
import { withTenantPrisma, type TenantPrisma } from "../prisma";
import { tenantIdFrom, type TenantId } from "../../security/principal";

const made: TenantId[] = [];

async function newOrganisation(name: string): Promise<{ tenantId: TenantId }> {
  const tenantId = tenantIdFrom(newId());
  made.push(tenantId);
  await withTenantPrisma({ tenantId }, (prisma) => prisma.organisation.create({ data: { id: tenantId, name } }));
  return { tenantId };
}

afterAll(() => withSystem("test", (tx) => tx.execute("delete from auth.organisation where id = any($1)", [made])));

describe("withTenantPrisma", () => {
  it("reads and writes only the tenant's rows, many transactions at once and none mixed", async () => {
    const tenants = await Promise.all(Array.from({ length: 20 }, (_, n) => newOrganisation(`organisation ${n}`)));
    const seen = await Promise.all(
      tenants.map((tenant) => withTenantPrisma(tenant, (prisma) => prisma.organisation.findMany())),
    );
    expect(seen.map((rows) => rows.map((row) => row.name))).toEqual(tenants.map((_, n) => [`organisation ${n}`]));
  });

  it("rolls back when the body throws, and refuses a second connection inside", async () => {
    const tenant = await newOrganisation("before");
    await withTenantPrisma(tenant, async (prisma) => {
      await prisma.organisation.update({ where: { id: tenant.tenantId }, data: { name: "after" } });
      throw new Error("no");
    }).catch(() => undefined);
    expect(await withTenantPrisma(tenant, (prisma) => prisma.organisation.findFirst())).toMatchObject({
      name: "before",
    });
    await expect(withTenantPrisma(tenant, () => withTenant(tenant, async () => undefined))).rejects.toMatchObject({
      kind: "misuse",
    });
  });
});

describe("a raw statement that would end the transaction", () => {
  const commits: [string, (prisma: TenantPrisma) => Promise<unknown>][] = [
    ["$executeRawUnsafe", (prisma) => prisma.$executeRawUnsafe("/* x */ commit")],
    ["$queryRawUnsafe", (prisma) => prisma.$queryRawUnsafe("rollback")],
    ["$executeRaw", (prisma) => prisma.$executeRaw`commit`],
    ["$queryRaw", (prisma) => prisma.$queryRaw`set role none`],
    ["a second statement", (prisma) => prisma.$executeRawUnsafe("select 1; commit")],
  ];

  it.each(commits)("is refused by %s", async (_name, commit) => {
    const tenant = await newOrganisation("before");
    await expect(withTenantPrisma(tenant, commit)).rejects.toMatchObject({ kind: "misuse" });
  });

  it("leaves nothing written, and other raw statements do what they say", async () => {
    const tenant = await newOrganisation("before");
    const change = withTenantPrisma(tenant, async (prisma) => {
      await prisma.organisation.update({ where: { id: tenant.tenantId }, data: { name: "after" } });
      await prisma.$executeRawUnsafe("commit");
    });
    await expect(change).rejects.toMatchObject({ kind: "misuse" });
    const read = withTenantPrisma(
      tenant,
      (prisma) => prisma.$queryRaw`select name from auth.organisation where id = ${tenant.tenantId}::uuid`,
    );
    expect(await read).toEqual([{ name: "before" }]);
  });
});

describe("the Prisma schema", () => {
  it("names only tables and columns that exist", async () => {
    const reads: ((prisma: TenantPrisma) => Promise<unknown>)[] = [
      (prisma) => prisma.organisation.findMany({ include: { memberships: true } }),
      (prisma) => prisma.membership.findMany(),
      (prisma) => prisma.document.findMany(),
      (prisma) => prisma.eventDeadLetter.findMany(),
      (prisma) => prisma.jobDeadLetter.findMany(),
    ];
    for (const read of reads) expect(await withTenantPrisma({ tenantId: tenantIdFrom(newId()) }, read)).toEqual([]);
  });
});
