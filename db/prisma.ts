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
import { controlMisuse, endedInsideError } from "./transaction-control";
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
        const raw = { wasUsed: false };
        const result = await runInside(mark, () => fn(guarded(prisma, raw)));
        if (raw.wasUsed) await assertScope(prisma, setting.values?.[0]);
        return result;
      },
      { maxWait: 10_000, timeout: 30_000 },
    );
  } catch (error) {
    throw toDbError(error);
  } finally {
    mark.isClosed = true;
  }
}

const RAW: ReadonlySet<unknown> = new Set(["$queryRaw", "$queryRawUnsafe", "$executeRaw", "$executeRawUnsafe"]);

/** The same client, whose raw statements are looked at before they are sent (transaction-control.ts). */
function guarded(prisma: TenantPrisma, raw: { wasUsed: boolean }): TenantPrisma {
  return new Proxy(prisma, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (!RAW.has(name) || typeof member !== "function") return member;
      return (...args: unknown[]): unknown => {
        const misuse = controlMisuse(textOf(args[0]));
        if (misuse) return Promise.reject(misuse);
        raw.wasUsed = true;
        return Reflect.apply(member, target, args) as unknown;
      };
    },
  });
}

/** Of a text, a template, or what Prisma.sql makes. */
function textOf(statement: unknown): string {
  if (typeof statement === "string") return statement;
  if (Array.isArray(statement)) return statement.join("?");
  return String((statement as { sql?: unknown } | undefined)?.sql ?? "");
}

/** Without parameters the driver sends several statements as one text, and the second may have ended the transaction. */
async function assertScope(prisma: TenantPrisma, token: unknown): Promise<void> {
  const rows = await prisma.$queryRawUnsafe<{ token: unknown }[]>(
    "select current_setting('app.capability', true) as token",
  );
  if (rows[0]?.token !== token) throw endedInsideError();
}

function prismaClient(): PrismaClient {
  if (client) return client;
  const made = new PrismaClient({ adapter: new PrismaPg(appPool(), { disposeExternalPool: false }) });
  onShutdown("prisma", () => made.$disconnect(), "idle");
  client = made;
  return made;
}
