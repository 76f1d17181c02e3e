// An answer that has begun: its parts, one for each that is read, and the money when it ends, however it ends. Of one that ends
// early the provider tells no tokens: prompt and answer count with what they had at most, because a model may have thought, and
// bill it, without a word. Of a model that shows all that it bills the answer counts with its bytes (no tokenizer makes more
// tokens than bytes) and what may have been under way when the provider noticed.
import { logger } from "../../telemetry/logger";
import type { Principal } from "../../security/principal";
import type { Deadline, ProviderRequest } from "./deadline";
import { settle, type Reservation, type Settlement, type Tokens } from "./ledger";
import { costOf } from "./prices";
import { failureOf } from "./providers/failure";
import type { ModelPart } from "./providers/model";

const UNDER_WAY_TOKENS = 256;

/** What a call is, once it is reserved. */
export interface Made {
  principal: Principal;
  provider: string;
  model: string;
  reservation: Reservation;
  deadline: Deadline;
  idleMs: number;
  /** It may bill tokens that it does not show (prices.ts). */
  mayReason: boolean;
}

export interface Usage extends Tokens {
  costMicroUsd: number;
}

export class Answer {
  readonly provider: string;
  readonly model: string;
  /** Of the ledger's entry. */
  readonly id: string;
  /** Soft budgets that it goes beyond. */
  readonly overBudgets: readonly string[];
  private readonly ends: (() => void)[] = [];
  private answerBytes = 0;
  private settled: Usage | undefined;
  private isOver = false;

  constructor(
    private readonly made: Made,
    private readonly request: ProviderRequest,
    private readonly source: AsyncIterator<ModelPart>,
    private first: ModelPart | undefined,
  ) {
    this.provider = made.provider;
    this.model = made.model;
    this.id = made.reservation.id;
    this.overBudgets = made.reservation.overBudgets;
  }

  onEnd(run: () => void): void {
    if (this.isOver) run();
    else this.ends.push(run);
  }

  /** What it cost; undefined until it has ended. */
  get usage(): Usage | undefined {
    return this.settled;
  }

  /**
   * Its parts, the last of which is `finish`: by then it is settled. Nothing is read ahead.
   * @throws ProviderFailure `cut`, `silent` or `given_up` when it ends early; it is settled then too
   */
  async *parts(): AsyncGenerator<ModelPart> {
    try {
      for (;;) {
        const part = await this.next();
        this.answerBytes += bytesOf(part);
        if (part.type === "finish") {
          await this.settleAs("answered", this.tokensOf(part.inputTokens, part.outputTokens));
          yield part;
          return;
        }
        yield part;
      }
    } catch (error) {
      throw this.request.failure ?? failureOf(error);
    } finally {
      await this.close();
    }
  }

  private async next(): Promise<ModelPart> {
    const { first } = this;
    this.first = undefined;
    if (first !== undefined) return first;
    const next = await this.request.within(this.made.idleMs, this.source.next());
    if (next.done === true) throw new Error("the answer ended without an end");
    return next.value;
  }

  /** Ends it, wherever it is. Never throws: what cannot be settled expires, and counts in full. */
  async close(): Promise<void> {
    if (this.isOver) return;
    this.isOver = true;
    this.request.end();
    for (const run of this.ends) run();
    if (this.settled === undefined) await this.settleAs("cut", this.tokensOf(undefined, undefined));
  }

  private tokensOf(inputTokens: number | undefined, outputTokens: number | undefined): Tokens {
    const {
      mayReason,
      reservation: { worst },
    } = this.made;
    const shown = Math.min(worst.outputTokens, this.answerBytes + UNDER_WAY_TOKENS);
    const estimated = mayReason ? worst.outputTokens : shown;
    return { inputTokens: inputTokens ?? worst.inputTokens, outputTokens: outputTokens ?? estimated };
  }

  private async settleAs(outcome: Settlement["outcome"], tokens: Tokens): Promise<void> {
    if (this.settled !== undefined) return;
    const { principal, reservation } = this.made;
    const { inputTokens, outputTokens } = tokens;
    this.settled = { ...tokens, costMicroUsd: costOf(reservation.price, inputTokens, outputTokens) };
    if (inputTokens > reservation.worst.inputTokens || outputTokens > reservation.worst.outputTokens)
      logger("ai").error(
        { provider: this.provider, model: this.model, ...tokens },
        "a call took more than its worst case",
      );
    try {
      await settle(principal, reservation, { outcome, ...tokens });
    } catch (err) {
      logger("ai").error(
        { err, reservation: reservation.id },
        "a call could not be settled: it expires, and counts in full",
      );
    }
  }
}

function bytesOf(part: ModelPart): number {
  switch (part.type) {
    case "text":
    case "reasoning":
      return Buffer.byteLength(part.text);
    case "tool-call":
      return Buffer.byteLength(part.input) + Buffer.byteLength(part.name);
    case "finish":
      return 0;
  }
}
