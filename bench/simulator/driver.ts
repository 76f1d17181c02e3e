// The simulator's clients: each intent is repeated, at one replica of the API after the other, until it is answered.
import { randomUUID } from "node:crypto";
import type { Bug, Intent, Ledger } from "./ledger";
import type { PlannedIntent } from "./plan";
import type { World } from "./world";

const ANSWER_LIMIT_MS = 1_500;
const AGAIN_MS = 50;
/** Longer than anything may be away. */
const GIVE_UP_MS = 120_000;

export class Driver {
  private turn = 0;

  constructor(
    private readonly world: World,
    private readonly ledger: Ledger,
  ) {}

  /** Resolves when it is answered; rejects when it is refused, or for good not answered. */
  async take({ kind, tenant, subject }: PlannedIntent, bug: Bug = "none"): Promise<Intent> {
    const intent = this.ledger.send({ id: randomUUID(), kind, tenant, subject, bug });
    for (let replica = this.turn++; ; replica++) {
      intent.tries++;
      const answer = await this.ask(intent, 1 + (replica % 2));
      if (answer !== undefined) {
        this.ledger.answer(intent, answer);
        return intent;
      }
      if (performance.timeOrigin + performance.now() - intent.sentAtMs > GIVE_UP_MS)
        throw new Error(`${kind} ${intent.id} was not answered within ${GIVE_UP_MS} ms`);
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  /** Undefined when it may be asked for again: nobody answered, or with an error of the server's. */
  private async ask(intent: Intent, number: number): Promise<{ seq: number; sagaId?: string } | undefined> {
    const { id, kind, tenant, subject, bug } = intent;
    const { baseUrl } = this.world.replica("api", number);
    if (baseUrl === undefined) return undefined;
    try {
      const response = await fetch(`${baseUrl}/door/take`, {
        method: "POST",
        body: JSON.stringify({ id, kind, tenant, subject, bug, payments: this.world.payments.url }),
        signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
      });
      const text = await response.text();
      if (response.ok) return JSON.parse(text) as { seq: number; sagaId?: string };
      this.world.say(`${id} was answered ${response.status} ${text}`);
      if (response.status < 500) throw new RefusedError(`${kind} ${id} was answered ${response.status}: ${text}`);
    } catch (error) {
      if (error instanceof RefusedError) throw error;
    }
    return undefined;
  }
}

class RefusedError extends Error {
  override readonly name = "RefusedError";
}
