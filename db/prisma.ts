// Prisma Client over the process's one pool, for reading and writing that needs no hand-written SQL. Made on
// first use; $disconnect leaves the pool to its owner.
import { PrismaPg } from "@prisma/adapter-pg";
import { cfg } from "../config";
import { PrismaClient, type Prisma } from "../generated/prisma/client";
import { onShutdown } from "../telemetry/shutdown";
import { readyFor } from "./connection";
import { toDbError } from "./errors";
import { appPool } from "./pool";
import { scopeStatement, type Scope } from "./scope";
import type { TenantScope } from "./tenant";
import { assertOutsideTransaction, runInside } from "./transaction-context";
import { currentUnit } from "./unit-of-work";

let client: PrismaClient | undefined;

/** The transaction's own client: use no other inside. */
export type TenantPrisma = Prisma.TransactionClient;

/**
 * Runs `fn` in one interactive transaction that sees and writes only this tenant's rows; commits when it
 * resolves, at once: a unit of work (unit-of-work.ts) neither holds nor marks it. The rules of withTenant hold. Costs a
 * round trip more than withTenant for BEGIN and for the scope.
 */
export async function withTenantPrisma<T>(
  principal: TenantScope,
  fn: (prisma: TenantPrisma) => Promise<T>,
): Promise<T> {
  assertOutsideTransaction("withTenantPrisma");
  const unit = currentUnit();
  await unit?.enter();
  try {
    return await runPrisma(principal, fn);
  } finally {
    unit?.leave();
  }
}

async function runPrisma<T>(principal: TenantScope, fn: (prisma: TenantPrisma) => Promise<T>): Promise<T> {
  const scope: Scope = { kind: "tenant", tenantId: principal.tenantId };
  const setting = scopeStatement(scope, await readyFor(scope), cfg.db.statementTimeoutMs);
  const mark = { isClosed: false };
  try {
    return await prismaClient().$transaction(
      async (prisma) => {
        await prisma.$queryRawUnsafe(setting.text, ...(setting.values ?? []));
        return runInside(mark, () => fn(prisma));
      },
      { maxWait: 10_000, timeout: 30_000 },
    );
  } catch (error) {
    throw toDbError(error);
  } finally {
    mark.isClosed = true;
  }
}

function prismaClient(): PrismaClient {
  if (client) return client;
  const made = new PrismaClient({ adapter: new PrismaPg(appPool(), { disposeExternalPool: false }) });
  onShutdown("prisma", () => made.$disconnect(), "idle");
  client = made;
  return made;
}
