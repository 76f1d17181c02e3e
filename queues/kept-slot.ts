// One slot of each worker is kept for a tenant that has fewer runs in it than another. Jobs that take long would otherwise fill
// every slot with one tenant's, and whose turn comes next would still wait until one of them ends. BullMQ's own loop fills
// the other slots with whatever is next; this fills the last, which that loop does not know of, and only when all others run.
// Priorities say whose turn is next (fairness.ts), so one look at the head of the queue tells mostly whether the slot is for it. Where the turn is that of
// the tenant which has the other slots, the first of another's jobs behind it comes forward, or the slot would be empty.
//
// Others bound the runs of a group: Hatchet (GROUP_ROUND_ROBIN, maxRuns), Inngest (concurrency keys), BullMQ Pro (groups), and let
// whoever is over it wait in a list of its own; here that is a job's own limit (tenant-gate.ts). Temporal (task queue fairness) only
// orders, as priorities do here, and says that one tenant may still fill all slots. graphile-worker has neither (#331).
import { newId } from "../db/ids";
import { logger } from "../telemetry/logger";
import type { BullWorker } from "./bull";

/** How often a full worker looks by itself: nobody announces that a job in front has gone, or that a delay is over. */
const LOOK_MS = 500;

/** Jobs that are looked through behind the head: others' turns are between those of one that has many waiting. */
const LOOK_AHEAD = 20;

/** Slots that BullMQ's own loop fills, of so many in all. A worker with one slot keeps none. */
export const loopSlotsOf = (slots: number): number => Math.max(1, slots - 1);

/** One that waits in the queue. */
export interface Waiting {
  readonly tenantId: string | null;
  /** Before all that wait. */
  comeForward(): Promise<void>;
}

type SlotWorker = Pick<BullWorker, "getNextJob" | "processJob" | "isPaused">;

export class KeptSlot {
  private readonly loopSlots: number;
  private readonly isKept: boolean;
  private readonly runs = new Map<string | null, number>();
  private total = 0;
  private inSlot: Promise<void> | undefined;
  private worker: SlotWorker | undefined;
  private looking: Promise<void> | undefined;
  /** Something was announced that nobody has looked at since. */
  private isNews = false;
  private timer: NodeJS.Timeout | undefined;

  /** `next` tells the jobs that are next in the queue, so many at most. */
  constructor(
    private readonly jobName: string,
    slots: number,
    private readonly next: (count: number) => Promise<readonly Waiting[]>,
  ) {
    this.loopSlots = loopSlotsOf(slots);
    this.isKept = slots > this.loopSlots;
  }

  /** Whether a run is under way, or about to be, that BullMQ's own loop does not know of. */
  get isBusy(): boolean {
    return this.inSlot !== undefined || this.looking !== undefined;
  }

  /** From now on the slot is filled; `worker` is running. */
  begin(worker: SlotWorker): void {
    this.worker = worker;
  }

  /** Takes nothing more; resolves when what runs in the slot has ended. */
  async end(): Promise<void> {
    this.worker = undefined;
    clearTimeout(this.timer);
    this.timer = undefined;
    await this.looking; // it may just have taken one
    await this.inSlot;
  }

  /** Counts a run of the tenant while it lasts, in whichever slot. */
  async count<T>(tenantId: string | null, run: () => Promise<T>): Promise<T> {
    this.runs.set(tenantId, (this.runs.get(tenantId) ?? 0) + 1);
    this.total++;
    if (this.isNews) this.look();
    else this.lookLater();
    try {
      return await run();
    } finally {
      const left = (this.runs.get(tenantId) ?? 1) - 1;
      if (left > 0) this.runs.set(tenantId, left);
      else this.runs.delete(tenantId);
      this.total--;
    }
  }

  /** The queue has got work. */
  news(): void {
    this.isNews = true;
    this.look();
  }

  private look(): void {
    if (this.looking !== undefined || !this.mayTake()) return;
    this.looking = this.takeAll()
      .catch((error: unknown) => logger("queues").debug({ err: error, job: this.jobName }, "the kept slot stays empty"))
      .finally(() => {
        this.looking = undefined;
        this.lookLater();
      });
  }

  private lookLater(): void {
    if (this.timer !== undefined || !this.mayTake()) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.look();
    }, LOOK_MS).unref();
  }

  /** While BullMQ's slots are full and this one is not. */
  private mayTake(): boolean {
    if (!this.isKept || this.worker === undefined || this.worker.isPaused()) return false;
    return this.inSlot === undefined && this.total >= this.loopSlots;
  }

  private async takeAll(): Promise<void> {
    do {
      this.isNews = false;
      if (await this.bringForward()) await this.take();
    } while (this.isNews && this.mayTake());
  }

  /** Whether the job that is next is one for the slot now. */
  private async bringForward(): Promise<boolean> {
    const [head] = await this.next(1);
    if (head === undefined || this.isFor(head)) return head !== undefined;
    const waiting = (await this.next(LOOK_AHEAD)).find((job) => this.isFor(job));
    await waiting?.comeForward();
    return waiting !== undefined;
  }

  private async take(): Promise<void> {
    const { worker } = this;
    if (worker === undefined || !this.mayTake()) return;
    const token = newId();
    const job = await worker.getNextJob(token, { block: false });
    if (job === undefined) return;
    this.inSlot = worker
      .processJob(job, token, () => false)
      .then(() => undefined)
      .catch((error: unknown) => logger("queues").warn({ err: error, job: this.jobName }, "a run ended with an error"))
      .finally(() => {
        this.inSlot = undefined;
        this.look();
      });
  }

  private isFor({ tenantId }: Waiting): boolean {
    const others = [...this.runs].filter(([other]) => other !== tenantId).map(([, runs]) => runs);
    return (this.runs.get(tenantId) ?? 0) < Math.max(0, ...others);
  }
}
