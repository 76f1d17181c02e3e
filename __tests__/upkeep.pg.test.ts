// Every table that grows with use is emptied of what is past its time by one run of its upkeep: native Postgres, because rates of
// the embedded one say nothing. The tables of `events`, sessions and embeddings have tests of their own. How fast a machine
// is, no test says: the rate is printed.
import { describe, expect, test } from "vitest";
import { purgeAudit } from "../audit/retention";
import { purgeEnded, type Purged } from "../auth/upkeep";
import { systemQuery } from "../db/tenant";
import { purgeRequests } from "../idempotency/upkeep";
import { purgeMailbox } from "../mail/upkeep";
import { purgeDeadJobs } from "../queues/dead-letters";
import { purgeFlows } from "../queues/flow";
import { purgeTasks } from "../queues/task-upkeep";
import { purgeGates } from "../queues/tenant-gate";
import { purgeSagas } from "../sagas/upkeep";
import { purgeTenantKeys } from "../secrets/upkeep";
import { purgeSpending, purgeUsage } from "../services/ai/upkeep";

const ROWS = 30_000;
const series = `generate_series(1, ${ROWS}) n`;
const ended = async (name: keyof Purged): Promise<number> => (await purgeEnded())[name];
/** Of an insert below, so that another may refer to them. */
const account = `account as (
  insert into auth.account (id, email) select gen_random_uuid(), gen_random_uuid() || '@upkeep.test' from ${series} returning id
)`;
const organisation = `organisation as (
  insert into auth.organisation (id, name) values (gen_random_uuid(), 'Upkeep') returning id
)`;

interface Growing {
  /** Rows past their time, ROWS of them. */
  fill: string;
  /** Resolves with how many went. */
  upkeep: () => Promise<number>;
}

const tables: Record<string, Growing> = {
  "auth.revocation": {
    fill: `insert into auth.revocation (subject, expires_at) select n::text, now() - interval '1 minute' from ${series}`,
    upkeep: () => ended("revocations"),
  },
  "auth.api_key": {
    fill: `with ${organisation}, ${account}
      insert into auth.api_key (id, tenant_id, account_id, name, prefix, hash, permissions, expires_at)
      select gen_random_uuid(), organisation.id, account.id, 'k', 'gw_', sha256(account.id::text::bytea), '{}', now() - interval '31 days'
        from organisation, account`,
    upkeep: () => ended("apiKeys"),
  },
  "auth.one_time_token": {
    fill: `with ${account}
      insert into auth.one_time_token (account_id, purpose, hash, email, expires_at)
      select id, 'verify-email', sha256(id::text::bytea), '', now() - interval '1 minute' from account`,
    upkeep: () => ended("oneTimeTokens"),
  },
  "auth.invitation": {
    fill: `with ${organisation}, person as (
        insert into auth.account (id, email) values (gen_random_uuid(), gen_random_uuid() || '@upkeep.test') returning id
      )
      insert into auth.invitation (id, tenant_id, email, role, invited_by, expires_at)
      select gen_random_uuid(), organisation.id, n || '@upkeep.test', 'member', person.id, now() - interval '1 minute'
        from organisation, person, ${series}`,
    upkeep: () => ended("invitations"),
  },
  "auth.operator_session": {
    fill: `with operator as (
        insert into auth.operator (id, email, permissions) values (gen_random_uuid(), gen_random_uuid() || '@upkeep.test', '{}') returning id
      )
      insert into auth.operator_session (id, operator_id, hash, expires_at)
      select gen_random_uuid(), operator.id, sha256(gen_random_uuid()::text::bytea), now() - interval '1 minute' from operator, ${series}`,
    upkeep: () => ended("operatorSessions"),
  },
  "auth.used_challenge": {
    fill: `insert into auth.used_challenge (id, expires_at) select gen_random_uuid(), now() - interval '1 minute' from ${series}`,
    upkeep: () => ended("usedChallenges"),
  },
  "audit.entry": {
    fill: `with log as (select gen_random_uuid() as id), head as (
        insert into audit.head (tenant_id, seq, at, hash, kept_after)
        select id, ${ROWS}, now() - interval '5 years', sha256('h'), sha256('k') from log returning tenant_id
      )
      insert into audit.entry (tenant_id, seq, id, at, action, actor, correlation_id, fields, personal_digest, hash)
      select tenant_id, n, gen_random_uuid(), now() - interval '5 years', 'upkeep.tested', 'system', '', '{}', sha256('p'), sha256('h')
        from head, ${series}`,
    upkeep: () => purgeAudit(),
  },
  "queues.task": {
    fill: `with task as (
        insert into queues.task (id, tenant_id, job, actor, state, created_at, ended_at)
        select gen_random_uuid(), gen_random_uuid(), 'upkeep:test', 'system', 'completed', now() - interval '9 days', now() - interval '8 days'
          from ${series} returning id, tenant_id
      )
      insert into queues.task_log (tenant_id, task_id, seq, text) select tenant_id, id, line, 'a line' from task, generate_series(1, 3) line`,
    upkeep: purgeTasks,
  },
  "queues.dead_letter": {
    fill: `insert into queues.dead_letter (id, tenant_id, queue, job_id, payload, reason, error, attempts, dead_at)
      select gen_random_uuid(), gen_random_uuid(), 'upkeep:test', gen_random_uuid()::text, '{}', 'r', '', 1, now() - interval '100 days' from ${series}`,
    upkeep: purgeDeadJobs,
  },
  "queues.tenant_run": {
    fill: `insert into queues.tenant_run (tenant_id, queue, job_id, state, at)
      select gen_random_uuid(), 'upkeep:test', gen_random_uuid()::text, 'idle', now() - interval '9 days' from ${series}`,
    upkeep: async () => (await purgeGates()).runs,
  },
  "queues.tenant_gate": {
    fill: `insert into queues.tenant_gate (tenant_id, queue, last_at)
      select gen_random_uuid(), 'upkeep:test', now() - interval '9 days' from ${series}`,
    upkeep: async () => (await purgeGates()).gates,
  },
  "queues.flow": {
    fill: `with flow as (
        insert into queues.flow (id, tenant_id, job, payload, headers, pending, released_at)
        select gen_random_uuid(), gen_random_uuid(), 'upkeep:test', '{}', '{}', 0, now() - interval '91 days' from ${series} returning id, tenant_id
      )
      insert into queues.flow_child (id, tenant_id, flow_id, place, job, state)
      select gen_random_uuid(), tenant_id, id, child, 'upkeep:test', 'completed' from flow, generate_series(1, 2) child`,
    upkeep: purgeFlows,
  },
  "sagas.saga": {
    fill: `with saga as (
        insert into sagas.saga (id, tenant_id, name, version, step_names, input, actor, correlation_id, state, created_at, ended_at)
        select gen_random_uuid(), gen_random_uuid(), 'upkeep:test', 1, '{a,b}', '{}', 'system', '', 'completed', now() - interval '40 days',
               now() - interval '31 days' from ${series} returning id, tenant_id
      )
      insert into sagas.step (tenant_id, saga_id, position, name, state)
      select tenant_id, id, step, 'a', 'completed' from saga, generate_series(0, 1) step`,
    upkeep: purgeSagas,
  },
  "ai.usage": {
    fill: `insert into ai.usage (id, tenant_id, subject, kind, provider, model, key_of, price_list, outcome, input_tokens, output_tokens, cost_micro_usd, at)
      select gen_random_uuid(), gen_random_uuid(), 'user:upkeep', 'generate', 'p', 'm', 'installation', 1, 'answered', 1, 1, 1, now() - interval '401 days' from ${series}`,
    upkeep: purgeUsage,
  },
  "ai.spending": {
    fill: `insert into ai.spending (tenant_id, subject, period, starts_on)
      select gen_random_uuid(), 'organisation', 'day', current_date - 431 from ${series}`,
    upkeep: purgeSpending,
  },
  "idempotency.request": {
    fill: `insert into idempotency.request (tenant_id, principal, key_hash, fingerprint, lease_id, leased_until, answered_at, expires_at)
      select gen_random_uuid(), 'user:upkeep', sha256(n::text::bytea), sha256('f'), gen_random_uuid(), now() - interval '2 days',
             now() - interval '2 days', now() - interval '1 minute' from ${series}`,
    upkeep: purgeRequests,
  },
  "mail.message": {
    fill: `insert into mail.message (id, recipient, subject, text, sent_at)
      select gen_random_uuid(), n || '@upkeep.test', 's', repeat('x', 500), now() - interval '8 days' from ${series}`,
    upkeep: () => purgeMailbox(new Date()),
  },
  "secrets.tenant_key": {
    fill: `insert into secrets.tenant_key (id, tenant_id, sealed, key_id, created_at)
      select gen_random_uuid(), md5((n / 2)::text)::uuid, 's', 'abcd', now() - interval '1 day' - n * interval '1 second' from generate_series(0, ${2 * ROWS - 1}) n`,
    upkeep: purgeTenantKeys,
  },
};

describe("one run of upkeep", () => {
  test.each(Object.keys(tables))(
    "removes thirty thousand rows of %s that are past their time, and prints how fast",
    async (name) => {
      const table = tables[name];
      if (table === undefined) throw new Error(name);
      await systemQuery("test", table.fill, [], { statementTimeoutMs: 240_000 });
      const startedAtMs = performance.now();
      const removed = await table.upkeep();
      const seconds = (performance.now() - startedAtMs) / 1000;
      process.stdout.write(`upkeep of ${name}: ${Math.round(removed / seconds)} rows/s\n`);
      expect(removed).toBe(ROWS);
    },
  );
});
