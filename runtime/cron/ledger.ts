// The port that makes a tick happen once over all replicas. A claim is a lease: whoever holds it renews it
// while the endpoint runs; the lease of a process that died ends, and another replica takes the tick over.

export interface Tick {
  job: string;
  /** Milliseconds since the epoch. */
  at: number;
}

/** `taken`: another replica holds the lease, ask again later. `done`: the tick has run. */
export type Claim = "won" | "taken" | "done";

export interface Ledger {
  start(): Promise<void>;
  claim(tick: Tick): Promise<Claim>;
  renew(tick: Tick): Promise<void>;
  /** Ends the tick for all replicas. `error`: why the endpoint failed; a failed tick is not run again. */
  finish(tick: Tick, error: string | null): Promise<void>;
  /** Ticks of these jobs whose holder went silent, of any replica, the oldest first; of very many not all. */
  abandoned(jobs: readonly string[]): Promise<Tick[]>;
  close(): Promise<void>;
}

/** How long a silent holder keeps a tick; renewed at a third of it. */
export const LEASE_MS = 30_000;

/** For a process that is alone: every tick is won. */
export class MemoryLedger implements Ledger {
  start(): Promise<void> {
    return Promise.resolve();
  }
  claim(): Promise<Claim> {
    return Promise.resolve("won");
  }
  renew(): Promise<void> {
    return Promise.resolve();
  }
  finish(): Promise<void> {
    return Promise.resolve();
  }
  abandoned(): Promise<Tick[]> {
    return Promise.resolve([]);
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
}
