// What one process knows of the organisations' overrides: all of them, because a flag is read while something else is done and
// answers at once. It reads each second what changed, so a change is seen by every process within two. States by the age of the
// last successful read:
//   known    up to BLIND_AFTER_MS: answers by what it knows, also while reading fails
//   blind    older, or nothing was read yet: it throws, and the flag has its declared default (config/flags.ts)
// Rows of an organisation that is gone are deleted, which no read of changes shows: each hour all is read anew.
// Models: Unleash's and LaunchDarkly's server SDKs (everything in memory, polled; a default until the first read).
import { AsyncResource } from "node:async_hooks";
import { isDraining } from "../telemetry/shutdown";
import { logger } from "../telemetry/logger";
import { withinTime } from "../telemetry/time-limit";
import { overrideChanges, type ChangedOverride, type ChangePage, type ChangePlace } from "./store";

const READ_EVERY_MS = 1_000;
export const BLIND_AFTER_MS = 10_000;
const READ_TIMEOUT_MS = 2_000;
export const ANEW_AFTER_MS = 3_600_000;
const PAGE = 5_000;
/** Before every row of a transaction. */
const FIRST = { tenantId: "00000000-0000-0000-0000-000000000000", flag: "" };

type Read = (behind: ChangePlace, limit: number) => Promise<ChangePage>;

/** `read` and `clock` (monotonic milliseconds) are given by tests. */
export class OverrideMemory {
  /** By organisation and flag. */
  private known = new Map<string, Map<string, string>>();
  private horizon = "0";
  private readAtMs = -Infinity;
  private anewAtMs = -Infinity;
  private reading: Promise<void> | undefined;
  /** Of the newest read: one that was given up may answer behind it, with what was so before. */
  private turn = 0;
  private isFailing = false;
  private hasStarted = false;

  constructor(
    private readonly read: Read = overrideChanges,
    private readonly clock: () => number = () => performance.now(),
  ) {
    // Reading belongs to nobody's request.
    this.load = AsyncResource.bind(this.load.bind(this));
  }

  /** The organisation's value, undefined for none of its own. @throws Error when that is not known. */
  valueOf(tenantId: string, flag: string): string | undefined {
    if (this.clock() - this.readAtMs >= BLIND_AFTER_MS) throw new Error("overrides of flags cannot be read");
    return this.known.get(tenantId)?.get(flag);
  }

  /** Resolves when what was there at the call has been read, or could not be. Never rejects. */
  async refresh(): Promise<void> {
    await this.reading;
    this.reading ??= this.load();
    await this.reading;
  }

  /** Reads now and each second from then on, until the process ends. */
  start(): void {
    if (this.hasStarted) return;
    this.hasStarted = true;
    const tick = (): void => void this.refresh().then(() => setTimeout(tick, READ_EVERY_MS).unref());
    tick();
  }

  private async load(): Promise<void> {
    const startedAtMs = this.clock();
    try {
      await withinTime(this.readPages(++this.turn), READ_TIMEOUT_MS);
      this.readAtMs = startedAtMs;
      this.isFailing = false;
    } catch (error) {
      // A process that ends has no database at last.
      if (!this.isFailing && !isDraining()) logger("flags").error({ err: error }, "overrides of flags cannot be read");
      this.isFailing = true;
    } finally {
      this.reading = undefined;
    }
  }

  private async readPages(turn: number): Promise<void> {
    const startedAtMs = this.clock();
    const isAnew = startedAtMs - this.anewAtMs >= ANEW_AFTER_MS;
    const known = isAnew ? new Map<string, Map<string, string>>() : this.known;
    let page = await this.read({ xid: isAnew ? "0" : this.horizon, ...FIRST }, PAGE);
    if (turn !== this.turn) return;
    const { horizon } = page;
    // Another server, or an older state of it: nothing of before holds there.
    if (BigInt(horizon) < BigInt(this.horizon)) {
      this.horizon = "0";
      this.known = new Map();
      this.readAtMs = this.anewAtMs = -Infinity;
      return this.readPages(turn);
    }
    take(page.rows, known);
    while (page.rows.length === PAGE) {
      page = await this.read(page.rows.at(-1) as ChangePlace, PAGE);
      if (turn !== this.turn) return;
      take(page.rows, known);
    }
    this.known = known;
    this.horizon = horizon;
    if (isAnew) this.anewAtMs = startedAtMs;
  }
}

function take(rows: readonly ChangedOverride[], into: Map<string, Map<string, string>>): void {
  for (const { tenantId, flag, value } of rows) {
    const known = into.get(tenantId) ?? new Map<string, string>();
    if (value === null) known.delete(flag);
    else known.set(flag, value);
    if (known.size === 0) into.delete(tenantId);
    else into.set(tenantId, known);
  }
}

/** This process's. */
export const overrideMemory = new OverrideMemory();
