// Turns at asking things outside that somebody named: an organisation's provider of sign-ins, its name servers. Such a thing may
// hang, by fault or on purpose, and holds its turn until it is given up. So everybody stands in one of four lines by how their
// thing was last, and each line has room of its own: whoever is known to hang takes nothing of those who answer. Those who
// fill a line and all fall silent at once have it for a second: in a full line the oldest turn that takes longer than its line is for
// is given up for whoever comes.
//   untried  nobody has asked it yet, or not for long: anybody may be that
//   prompt   it ended within a second, whatever it answered
//   slow     it answered later
//   silent   it was given up: it rests, twice as long each time, then one asks at a time until it answers again
// Some who take all that they may leave a fair share of a line for others. Whoever wants more than theirs waits behind their own,
// in bounded time; when the thing falls silent, all who wait for it are told at once. Of this process.
import { commonErrors } from "./common-errors";
import { RecentMap } from "./recent-map";
import { UnderWay, type UnderWayMax } from "./under-way";

type Line = "untried" | "prompt" | "slow" | "silent";

export interface FairTurnsMax {
  /** One at a time of what is silent: `ofOne` is 1 there. */
  lines: Readonly<Record<Exclude<Line, "silent">, UnderWayMax> & { silent: UnderWayMax & { ofOne: 1 } }>;
  /** Of one, behind its own. */
  waitingOfOne: number;
  waitMsMax: number;
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

interface Turn {
  readonly begunMs: number;
  /** Aborts when it is given up for another. */
  readonly cut: AbortController;
  readonly leave: () => void;
}

interface Waiting {
  begin: (turn: Turn) => void;
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
  /** The same by turn, the oldest first, with whose it is. */
  private readonly turns: Readonly<Record<Line, Map<Turn, string>>> = {
    untried: new Map(),
    prompt: new Map(),
    slow: new Map(),
    silent: new Map(),
  };
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
   * Runs `work` when it is the turn of `who`. It has to end by itself, and when the signal that it is given aborts; `signals` are
   * what else may cut it. It counts as given up when it fails after `silentAfterMs`, for which work of another time limit than usual
   * has its own.
   * @throws RestingError; APIError service_unavailable when there is no room; what the work throws.
   */
  async run<T>(
    who: string,
    work: (cut: AbortSignal) => Promise<T>,
    signals: readonly (AbortSignal | undefined)[] = [],
    silentAfterMs = this.max.silentAfterMs,
  ): Promise<T> {
    const given = signals.filter((signal) => signal !== undefined);
    const hasBegun = given.some((signal) => this.begun.has(signal));
    const turn = this.enter(who) ?? (await this.wait(who, hasBegun));
    for (const signal of given) this.begun.add(signal);
    try {
      // Whose time was up while they waited says nothing of whom they wanted to ask.
      for (const signal of given) signal.throwIfAborted();
      return await this.ask(who, turn, work, given, silentAfterMs);
    } finally {
      turn.leave();
      this.next(who);
    }
  }

  private async ask<T>(
    who: string,
    { cut }: Turn,
    work: (cut: AbortSignal) => Promise<T>,
    signals: readonly AbortSignal[],
    silentAfterMs: number,
  ): Promise<T> {
    const begunMs = this.nowMs();
    const tookMs = (): number => this.nowMs() - begunMs;
    const paced = (): "prompt" | "slow" => (tookMs() < PROMPT_MS ? "prompt" : "slow");
    try {
      const answer = await work(cut.signal);
      this.note(who, paced(), begunMs);
      return answer;
    } catch (error) {
      if (cut.signal.aborted) throw cut.signal.reason;
      if (tookMs() >= silentAfterMs) this.note(who, "silent", begunMs);
      else if (signals.every(({ aborted }) => !aborted)) this.note(who, paced(), begunMs);
      else this.noteCut(who, begunMs);
      throw error;
    }
  }

  /** Undefined when `who` has as many as they may. @throws RestingError, APIError service_unavailable. */
  private enter(who: string): Turn | undefined {
    const { line, restsUntilMs } = this.seen.get(who) ?? { line: "untried", restsUntilMs: 0 };
    const restsMs = restsUntilMs - this.nowMs();
    if (line === "silent" && restsMs > 0) throw new RestingError(Math.ceil(restsMs / 1_000));
    const underWay = this.underWay[line];
    const isFull = underWay.inAll >= this.max.lines[line].inAll;
    if (isFull && !underWay.has(who)) this.makeRoom(line);
    const leave = underWay.enterFairly(who);
    if (leave === undefined && line === "silent") throw new RestingError(1);
    if (leave === undefined) return undefined;
    const turn: Turn = {
      begunMs: this.nowMs(),
      cut: new AbortController(),
      leave: () => {
        leave();
        this.turns[line].delete(turn);
      },
    };
    this.turns[line].set(turn, who);
    return turn;
  }

  /** Gives up the oldest turn of a full line. @throws APIError service_unavailable when that takes no longer than it may. */
  private makeRoom(line: Line): void {
    const [oldest] = this.turns[line];
    if (oldest === undefined) throw full();
    const [turn, whose] = oldest;
    const sureMs = line === "untried" || line === "prompt" ? PROMPT_MS : this.max.silentAfterMs;
    const leftMs = turn.begunMs + sureMs - this.nowMs();
    if (leftMs > 0) throw full(Math.ceil(leftMs / 1_000));
    turn.leave();
    this.note(whose, "silent", turn.begunMs);
    const { restsUntilMs = 0 } = this.seen.get(whose) ?? {};
    turn.cut.abort(new RestingError(Math.max(1, Math.ceil((restsUntilMs - this.nowMs()) / 1_000))));
  }

  private wait(who: string, goesFirst: boolean): Promise<Turn> {
    const behind = this.waiting.get(who) ?? [];
    if (behind.length >= this.max.waitingOfOne) throw full();
    this.waiting.set(who, behind);
    return new Promise((begin, refuse) => {
      const timer = setTimeout(() => {
        behind.splice(behind.indexOf(one), 1);
        if (behind.length === 0) this.waiting.delete(who);
        refuse(full());
      }, this.max.waitMsMax);
      const one: Waiting = {
        begin: (turn) => {
          clearTimeout(timer);
          begin(turn);
        },
        refuse: (error) => {
          clearTimeout(timer);
          refuse(error);
        },
      };
      if (goesFirst) behind.unshift(one);
      else behind.push(one);
    });
  }

  /** Those who wait behind `who`'s own turns, as many as may go on, or all of them when they would wait for nothing. */
  private next(who: string): void {
    const waiting = this.waiting.get(who) ?? [];
    for (let first = waiting[0]; first !== undefined; first = waiting[0]) {
      try {
        const turn = this.enter(who);
        if (turn === undefined) break;
        first.begin(turn);
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

const full = (retryAfterSeconds = 2): Error =>
  commonErrors.service_unavailable({ retryAfterSeconds, internal: "there is no turn outside left" });
