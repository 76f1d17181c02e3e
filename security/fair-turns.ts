// Turns at asking things outside that somebody named: an organisation's provider of sign-ins, its name servers. Such a thing may
// hang, by fault or on purpose, and holds its turn until it is given up. So everybody stands in one of four lines by how their
// thing was last, and each line has room of its own: whoever is known to hang takes nothing of those who answer. Only as many as a
// line has turns, which all fall silent at once, fill it until they are given up.
//   untried  nobody has asked it yet, or not for long: anybody may be that
//   prompt   it ended within a second, whatever it answered
//   slow     it answered later
//   silent   it was given up: it rests, twice as long each time, then one asks at a time until it answers again
// Some who take all that they may leave a fair share of a line for others. Whoever wants more than theirs waits behind their own;
// when the thing falls silent, all who wait for it are told at once. Of this process.
import { commonErrors } from "./common-errors";
import { RecentMap } from "./recent-map";
import { UnderWay, type UnderWayMax } from "./under-way";

type Line = "untried" | "prompt" | "slow" | "silent";

export interface FairTurnsMax {
  /** One at a time of what is silent: `ofOne` is 1 there. */
  lines: Readonly<Record<Exclude<Line, "silent">, UnderWayMax> & { silent: UnderWayMax & { ofOne: 1 } }>;
  /** Of one, behind its own. */
  waitingOfOne: number;
  /** Whoever was given up had this long to answer. One that was cut sooner had waited for its turn, which says nothing of it. */
  silentAfterMs: number;
}

/** What is asked was given up lately: it rests, or somebody just tries whether it answers again. Nobody was asked. */
export class RestingError extends Error {
  override readonly name = "RestingError";
  constructor(readonly retryAfterSeconds: number) {
    super("it did not answer a moment ago");
  }
}

interface Seen {
  line: Line;
  /** How often it was given up lately. */
  strikes: number;
  struckAtMs: number;
  restsUntilMs: number;
  /** Given up before they had their time, since it answered last. */
  cuts: number;
}

interface Waiting {
  begin: (leave: () => void) => void;
  refuse: (error: Error) => void;
}

const PROMPT_MS = 1_000;
const REST_MS = 1_000;
const REST_MS_MAX = 30_000;
/** So that whoever answers once in between is not at the beginning again. */
const FORGIVEN_AFTER_MS = 60_000;
const CUTS_MAX = 16;
const SEEN_MAX = 4_000;

export class FairTurns {
  private readonly seen = new RecentMap<Seen>(SEEN_MAX, { mustStay: ({ line }) => line === "silent" });
  private readonly underWay: Readonly<Record<Line, UnderWay>>;
  /** Whoever stands here has a turn, at whose end they are looked at. */
  private readonly waiting = new Map<string, Waiting[]>();
  /** Of those who had a turn already: they go first, or everybody would end between two requests of theirs. */
  private readonly begun = new WeakSet<AbortSignal>();

  constructor(
    private readonly max: FairTurnsMax,
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    const { untried, prompt, slow, silent } = max.lines;
    this.underWay = {
      untried: new UnderWay(untried),
      prompt: new UnderWay(prompt),
      slow: new UnderWay(slow),
      silent: new UnderWay(silent),
    };
  }

  /**
   * Runs `work` when it is the turn of `who`. It has to end by itself; `signals` are what may cut it. It counts as given up when it
   * fails after `silentAfterMs`, for which work of another time limit than usual has its own.
   * @throws RestingError; APIError service_unavailable when there is no room; what the work throws.
   */
  async run<T>(
    who: string,
    work: () => Promise<T>,
    signals: readonly (AbortSignal | undefined)[] = [],
    silentAfterMs = this.max.silentAfterMs,
  ): Promise<T> {
    const given = signals.filter((signal) => signal !== undefined);
    const hasBegun = given.some((signal) => this.begun.has(signal));
    const leave = this.enter(who) ?? (await this.wait(who, hasBegun));
    for (const signal of given) this.begun.add(signal);
    try {
      // Whose time was up while they waited says nothing of whom they wanted to ask.
      for (const signal of given) signal.throwIfAborted();
      return await this.ask(who, work, given, silentAfterMs);
    } finally {
      leave();
      this.next(who);
    }
  }

  private async ask<T>(
    who: string,
    work: () => Promise<T>,
    signals: readonly AbortSignal[],
    silentAfterMs: number,
  ): Promise<T> {
    const begunMs = this.nowMs();
    const tookMs = (): number => this.nowMs() - begunMs;
    const paced = (): "prompt" | "slow" => (tookMs() < PROMPT_MS ? "prompt" : "slow");
    try {
      const answer = await work();
      this.note(who, paced(), begunMs);
      return answer;
    } catch (error) {
      if (tookMs() >= silentAfterMs) this.note(who, "silent", begunMs);
      else if (signals.every(({ aborted }) => !aborted)) this.note(who, paced(), begunMs);
      else this.noteCut(who, begunMs);
      throw error;
    }
  }

  /** Undefined when `who` has as many as they may. @throws RestingError, APIError service_unavailable. */
  private enter(who: string): (() => void) | undefined {
    const { line, restsUntilMs } = this.seen.get(who) ?? { line: "untried", restsUntilMs: 0 };
    const restsMs = restsUntilMs - this.nowMs();
    if (line === "silent" && restsMs > 0) throw new RestingError(Math.ceil(restsMs / 1_000));
    const underWay = this.underWay[line];
    if (underWay.inAll >= this.max.lines[line].inAll) throw full();
    const leave = underWay.enterFairly(who);
    if (leave === undefined && line === "silent") throw new RestingError(1);
    return leave;
  }

  private wait(who: string, goesFirst: boolean): Promise<() => void> {
    const behind = this.waiting.get(who) ?? [];
    if (behind.length >= this.max.waitingOfOne) throw full();
    this.waiting.set(who, behind);
    return new Promise((begin, refuse) => {
      if (goesFirst) behind.unshift({ begin, refuse });
      else behind.push({ begin, refuse });
    });
  }

  /** Those who wait behind `who`'s own turns, as many as may go on, or all of them when they would wait for nothing. */
  private next(who: string): void {
    const waiting = this.waiting.get(who) ?? [];
    for (let first = waiting[0]; first !== undefined; first = waiting[0]) {
      try {
        const leave = this.enter(who);
        if (leave === undefined) break;
        first.begin(leave);
      } catch (error) {
        first.refuse(error as Error);
      }
      waiting.shift();
    }
    if (waiting.length === 0) this.waiting.delete(who);
  }

  private note(who: string, line: Exclude<Line, "untried">, begunMs: number): void {
    const nowMs = this.nowMs();
    const before = this.seen.get(who) ?? { line, strikes: 0, struckAtMs: -Infinity, restsUntilMs: 0, cuts: 0 };
    // What was under way when it fell silent belongs to that: several at once are one silence.
    if (begunMs < before.struckAtMs) return;
    if (line !== "silent") return this.seen.set(who, { ...before, line, cuts: 0 });
    const forgiven = Math.floor((nowMs - before.struckAtMs) / FORGIVEN_AFTER_MS);
    const strikes = Math.max(0, before.strikes - forgiven);
    const restsUntilMs = nowMs + Math.min(REST_MS * 2 ** strikes, REST_MS_MAX);
    this.seen.set(who, { line, strikes: strikes + 1, struckAtMs: nowMs, restsUntilMs, cuts: 0 });
  }

  /** One alone says nothing. Many of them with no answer in between do: whoever answers the first request and hangs the next. */
  private noteCut(who: string, begunMs: number): void {
    const seen = this.seen.get(who);
    if (seen === undefined) return;
    const cuts = seen.cuts + 1;
    if (cuts >= CUTS_MAX) this.note(who, "silent", begunMs);
    else this.seen.set(who, { ...seen, cuts });
  }
}

const full = (): Error =>
  commonErrors.service_unavailable({ retryAfterSeconds: 2, internal: "there is no turn outside left" });
