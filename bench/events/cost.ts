// What a stretch of work cost: CPU time of the app's processes and of the whole Postgres server, and what the database counted
// meanwhile. On a machine that others use too these are steadier than rates.
import { readFileSync, readdirSync } from "node:fs";
import pg from "pg";

/** Of Linux: ticks of /proc in a second. */
const TICKS = 100;

interface Stat {
  pid: number;
  parent: number;
  ticks: number;
  /** Of children that have ended. */
  childTicks: number;
}

function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text
      .slice(text.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number);
    const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15);
    return { pid, parent: fields[1] ?? 0, ticks: user + system, childTicks: childUser + childSystem };
  } catch {
    return undefined;
  }
}

/** Of the process and its children, also those that have ended. */
function familySeconds(parent: number): number {
  const all = readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? (statOf(Number(name)) ?? []) : []));
  const own = all
    .filter(({ pid }) => pid === parent)
    .reduce((sum, { ticks, childTicks }) => sum + ticks + childTicks, 0);
  return all.filter((stat) => stat.parent === parent).reduce((sum, { ticks }) => sum + ticks, own) / TICKS;
}

export interface Cost {
  /** CPU microseconds by process. */
  cpu: Record<string, number>;
  /** What the database counted. */
  counted: Record<string, number>;
}

export class CostMeter {
  private constructor(
    private readonly client: pg.Client,
    private readonly server: number,
  ) {}

  static async open(url: string): Promise<CostMeter> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query("select pg_backend_pid() as pid");
    return new CostMeter(client, statOf((rows[0] as { pid: number }).pid)?.parent ?? 0);
  }

  close(): Promise<void> {
    return this.client.end();
  }

  /** What `work` cost for each of `count` events; the statistics of idle backends are a second late. */
  async during(processes: Record<string, number>, count: number, work: () => Promise<unknown>): Promise<Cost> {
    const before = await this.read(processes);
    await work();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const after = await this.read(processes);
    const each = (from: Record<string, number>, to: Record<string, number>): Record<string, number> =>
      Object.fromEntries(Object.entries(to).map(([name, value]) => [name, (value - (from[name] ?? 0)) / count]));
    return { cpu: each(before.cpu, after.cpu), counted: each(before.counted, after.counted) };
  }

  private async read(processes: Record<string, number>): Promise<Cost> {
    const { rows } = await this.client.query(`
      select (select xact_commit from pg_stat_database where datname = current_database())::float8 as commits,
             (pg_current_wal_insert_lsn() - '0/0')::float8 as "WAL bytes",
             sum(n_tup_ins)::float8 as inserted, sum(n_tup_upd)::float8 as updated, sum(n_tup_hot_upd)::float8 as "of them HOT",
             sum(n_tup_del)::float8 as deleted from pg_stat_user_tables`);
    const cpu: Record<string, number> = { postgres: familySeconds(this.server) * 1e6 };
    for (const [name, pid] of Object.entries(processes)) cpu[name] = ((statOf(pid)?.ticks ?? 0) / TICKS) * 1e6;
    return { cpu, counted: rows[0] as Record<string, number> };
  }
}

/** "emitter 210 µs, postgres 300 µs; commits 1.0, …" */
export function costText({ cpu, counted }: Cost): string {
  const parts = Object.entries(cpu).map(([name, us]) => `${name} ${us.toFixed(0)}`);
  const total = Object.values(cpu).reduce((sum, us) => sum + us, 0);
  const counts = Object.entries(counted).map(([name, value]) => `${name} ${value.toFixed(value < 100 ? 2 : 0)}`);
  return `CPU ${total.toFixed(0)} µs (${parts.join(", ")}); ${counts.join(", ")}`;
}
