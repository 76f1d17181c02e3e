// Asks each database its rules. One that is away is said once.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type pg from "pg";
import type { DatabaseTarget } from "../backup";
import { connect } from "../infra";
import { databaseRules, type DatabaseFacts, judgeClock, type Rule, vectorRule } from "./database-rules";
import { error, type Check, type Finding, type Patient } from "./finding";

const CONNECT_LIMIT_MS = 5_000;

type Row = Record<string, string | null>;

function asksForVectors(dir: string | undefined): boolean {
  if (dir === undefined) return false;
  const files = readdirSync(dir, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".sql"));
  return files.some((name) => /create extension [^;]{0,60}\bvector\b/i.test(readFileSync(join(dir, name), "utf8")));
}

async function clockOf(client: pg.Client, name: string, now: () => Date): Promise<Finding[]> {
  const before = now().getTime();
  const { rows } = await client.query<{ at: number }>(
    "select extract(epoch from clock_timestamp())::float8 * 1000 as at",
  );
  const after = now().getTime();
  return judgeClock(name, rows[0]?.at ?? Number.NaN, (before + after) / 2);
}

async function ask(client: pg.Client, rules: readonly Rule[], facts: DatabaseFacts): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const { sql, judge } of rules) {
    const { rows } = await client.query<Row>(sql);
    found.push(...judge(rows, facts));
  }
  return found;
}

async function examine(target: DatabaseTarget, { isProduction, now }: Patient): Promise<Finding[]> {
  const facts: DatabaseFacts = { name: target.name, isProduction, isEmbedded: target.isEmbedded };
  const extension = asksForVectors(target.migrationsDir) ? [vectorRule] : [];
  const found: Finding[] = [];
  for (const [url, rules] of [
    [target.appUrl, databaseRules.filter(({ asApp }) => asApp === true)],
    [target.url, [...databaseRules.filter(({ asApp }) => asApp !== true), ...extension]],
  ] as const) {
    const client = await connect(url, "groundwork-doctor", CONNECT_LIMIT_MS);
    try {
      found.push(...(await ask(client, rules, facts)));
      if (url === target.url && rules.includes(databaseRules[1] as Rule))
        found.push(...(await clockOf(client, target.name, now)));
    } finally {
      await client.end().catch(() => undefined);
    }
  }
  return found;
}

export const databases: Check = async (patient) => {
  const found: Finding[] = [];
  for (const target of patient.databases)
    found.push(
      ...(await examine(target, patient).catch((failure: unknown) => [
        error(
          "database_unreachable",
          `the database ${target.name} does not answer: ${failure instanceof Error ? failure.message : String(failure)}`,
          "Start it, and compare DATABASE_URL, or sql_servers of the infra config, with its address and login.",
        ),
      ])),
    );
  return found;
};
