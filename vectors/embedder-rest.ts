// An embedder that let several questions running wait until their time was over is not asked for a while: else every search
// would take that time before words answer it. (Nygard, Release It!, "Circuit Breaker".) One question at a time finds out
// whether it answers again; nobody else waits for what comes of it. Of this process: what another one has met, it tells nobody.
import type { Embedder } from "./providers/embedder";

const TIMEOUTS_RUNNING = 3;
const REST_MS = 15_000;

export class EmbedderRest {
  private timeouts = 0;
  private untilMs = 0;

  /** Whether to ask it now. Who is told so during a rest is the one who finds out, and the rest goes on for others. */
  mayAsk(nowMs = performance.now()): boolean {
    if (this.timeouts < TIMEOUTS_RUNNING) return true;
    if (nowMs < this.untilMs) return false;
    this.untilMs = nowMs + REST_MS;
    return true;
  }

  noteAnswer(): void {
    this.timeouts = 0;
  }

  noteTimeout(nowMs = performance.now()): void {
    this.timeouts++;
    this.untilMs = nowMs + REST_MS;
  }
}

const rests = new WeakMap<Embedder, EmbedderRest>();

export function restOf(embedder: Embedder): EmbedderRest {
  const rest = rests.get(embedder) ?? new EmbedderRest();
  rests.set(embedder, rest);
  return rest;
}
