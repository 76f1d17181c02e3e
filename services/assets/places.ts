// How many files may be on their way through one process at once, in either direction: each holds a part of itself in memory, for
// as long as its client likes. Once places are scarce, whoever is slow is given up and nobody gets many: otherwise a few
// organisations whose clients trickle would hold them all.
import { UnderWay } from "../../security/under-way";
import { errors } from "./errors";

const PLACES = 32;
/** So that slow clients of one organisation leave room for others. */
const PLACES_OF_TENANT = 8;
/** So many taken, and places are scarce. */
const SCARCE_FROM = 24;
const PLACES_OF_TENANT_WHEN_SCARCE = 2;
/** A client has so long for a part (4 MiB), or for less at the end, once places are scarce: 0.6 Mbit/s. */
const PART_WITHIN_MS = 60_000;

export interface Place {
  /** Aborts, with what the client is to be told, when the place was given up. */
  readonly signal: AbortSignal;
  /** Does something that the client does not wait with: their time stands still meanwhile, and then begins anew. */
  ours<T>(work: () => Promise<T>): Promise<T>;
  /** To be called once. */
  leave(): void;
}

interface Held {
  /** Since when its client has been at the present part; Infinity while it is our turn. */
  sinceMs: number;
  giveUp: AbortController;
}

export class Places {
  private readonly underWay = new UnderWay({ ofOne: PLACES_OF_TENANT, inAll: PLACES });
  private readonly held = new Set<Held>();

  constructor(
    private readonly refuse: (options: { retryAfterSeconds: number }) => Error,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** @throws what refuse makes, when there is none */
  take(tenantId: string): Place {
    const isScarce = this.underWay.inAll >= SCARCE_FROM;
    if (isScarce) this.giveUpSlow();
    const leave = this.underWay.enter(tenantId, isScarce ? PLACES_OF_TENANT_WHEN_SCARCE : PLACES_OF_TENANT);
    if (leave === undefined) throw this.refuse({ retryAfterSeconds: 1 });
    return this.placeOf({ sinceMs: this.nowMs(), giveUp: new AbortController() }, leave);
  }

  /** Their places are free when they have let go of what they hold, and not before. */
  private giveUpSlow(): void {
    const before = this.nowMs() - PART_WITHIN_MS;
    for (const { sinceMs, giveUp } of this.held)
      if (sinceMs < before && !giveUp.signal.aborted) giveUp.abort(this.refuse({ retryAfterSeconds: 1 }));
  }

  private placeOf(held: Held, leave: () => void): Place {
    this.held.add(held);
    return {
      signal: held.giveUp.signal,
      ours: async (work) => {
        held.sinceMs = Infinity;
        try {
          return await work();
        } finally {
          held.sinceMs = this.nowMs();
        }
      },
      leave: () => {
        this.held.delete(held);
        leave();
      },
    };
  }
}

export const uploadPlaces = new Places(errors.uploads_waiting);
export const downloadPlaces = new Places(errors.downloads_waiting);

/** What `source` brings, until the signal's reason ends it, also while nothing comes. */
export async function* untilGivenUp(source: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer> {
  const iterator = source[Symbol.asyncIterator]();
  // One listener, which knows the present turn alone: racing each against one promise would keep all that ever came.
  let end: (reason: Error) => void = () => undefined;
  const abort = (): void => end(signal.reason as Error);
  signal.addEventListener("abort", abort);
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = await new Promise<IteratorResult<Buffer>>((resolve, reject) => {
        end = reject;
        iterator.next().then(resolve, reject);
      });
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", abort);
    // Not awaited: one that waits for its client ends when the client does.
    void iterator.return?.().catch(() => undefined);
  }
}
