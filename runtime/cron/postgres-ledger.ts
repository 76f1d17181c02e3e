// Ticks in Postgres: one row per (job, tick) in `groundwork.cron_run`, leased by the database's clock, so that
// the clocks of the replicas need not agree on more than which tick it is.
import { Pool } from "pg";
import { createHostSchema } from "../host-schema";
import { dropWhenSilent } from "../silent-connection";
import { LEASE_MS, type Claim, type Ledger, type Tick } from "./ledger";

const KEPT = "7 days";
/** Longer than any statement here; a connection that says nothing for so long while it is asked is dropped. */
const SILENCE_MS = 30_000;

/** One transaction, as every query of several statements. */
const createTables = `${createHostSchema}
create table if not exists groundwork.cron_run (
  job text not null,
  tick timestamptz not null,
  holder text not null,
  lease_until timestamptz not null,
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  error text,
  primary key (job, tick)
);
create index if not exists cron_run_open on groundwork.cron_run (tick) where finished_at is null`;

const claimTick = `
insert into groundwork.cron_run as run (job, tick, holder, lease_until)
values ($1, to_timestamp($2 / 1000.0), $3, clock_timestamp() + $4 * interval '1 millisecond')
on conflict (job, tick) do update
  set holder = excluded.holder, lease_until = excluded.lease_until, started_at = clock_timestamp()
  where run.finished_at is null and run.lease_until < clock_timestamp()
returning job`;

const tickIsDone = `select finished_at is not null as done from groundwork.cron_run where job = $1 and tick = to_timestamp($2 / 1000.0)`;

const renewLease = `
update groundwork.cron_run set lease_until = clock_timestamp() + $4 * interval '1 millisecond'
where job = $1 and tick = to_timestamp($2 / 1000.0) and holder = $3 and finished_at is null`;

const finishTick = `
update groundwork.cron_run set finished_at = clock_timestamp(), error = $4
where job = $1 and tick = to_timestamp($2 / 1000.0) and holder = $3 and finished_at is null`;

const findAbandoned = `
select job, (extract(epoch from tick) * 1000)::float8 as at from groundwork.cron_run
where finished_at is null and lease_until < clock_timestamp() and job = any($1) order by tick limit 100`;

/**
 * Of one job with each of its ticks, so that the table stays small however long a process lives; of all at the start, and then also
 * what was never finished: of a job that the app has no more.
 */
const removeOld = `delete from groundwork.cron_run
where ($1::text is null or job = $1) and tick < now() - interval '${KEPT}'
  and (finished_at < now() - interval '${KEPT}' or finished_at is null and lease_until < now() - interval '${KEPT}')`;

export class PostgresLedger implements Ledger {
  readonly #pool: Pool;
  readonly #holder: string;
  readonly #leaseMs: number;

  /** `holder` identifies this process among the replicas. */
  constructor(url: string, holder: string, leaseMs: number = LEASE_MS, silenceMs: number = SILENCE_MS) {
    this.#pool = new Pool({
      connectionString: url,
      max: 2,
      idleTimeoutMillis: 10_000,
      connectionTimeoutMillis: 10_000,
      application_name: "groundwork-cron",
    });
    // A connection that breaks is replaced by the next query; unheard, its event would end the process, whether it was
    // idle (the pool's event) or at work (its own).
    this.#pool.on("error", () => undefined);
    this.#pool.on("connect", (client) => {
      client.on("error", () => undefined);
      dropWhenSilent(client, silenceMs);
    });
    this.#holder = holder;
    this.#leaseMs = leaseMs;
  }

  async start(): Promise<void> {
    await this.#pool.query(createTables);
    await this.#pool.query(removeOld, [null]);
  }

  async claim({ job, at }: Tick): Promise<Claim> {
    const won = await this.#pool.query(claimTick, [job, at, this.#holder, this.#leaseMs]);
    if (won.rowCount) return "won";
    const found = await this.#pool.query<{ done: boolean }>(tickIsDone, [job, at]);
    return found.rows[0]?.done ? "done" : "taken";
  }

  async renew({ job, at }: Tick): Promise<void> {
    await this.#pool.query(renewLease, [job, at, this.#holder, this.#leaseMs]);
  }

  async finish({ job, at }: Tick, error: string | null): Promise<void> {
    await this.#pool.query(finishTick, [job, at, this.#holder, error]);
    await this.#pool.query(removeOld, [job]).catch(() => undefined); // the next tick does
  }

  async abandoned(jobs: readonly string[]): Promise<Tick[]> {
    const found = await this.#pool.query<Tick>(findAbandoned, [jobs]);
    return found.rows;
  }

  close(): Promise<void> {
    return this.#pool.end();
  }
}
