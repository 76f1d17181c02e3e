// Who wants which event. Each process declares its consumers in a table and reads what the others declare, so that
// whoever publishes, of whatever version, knows which subscriptions have a handler and delivers to no other; and so that
// a replica which finds no handler of its own can tell "nobody wants it" from "the next version does". What is not known
// counts as wanted: a consumer that nobody declared, an event that no version of the consumer has ever heard of, a table
// that could not be read for a while. Kafka Streams and Debezium leave this to topics; NATS and Google's Pub/Sub filter by
// attributes of the subscription, which Encore has not, hence the consumer still passes over what it gets all the same.
import { catalog } from "./catalog";
import { declarationsHeld, declarationsRenew, type ConsumerDeclaration } from "./store/declaration";
import { REDRIVE_CONSUMER } from "./topic";

/** How often a running process reads what the others declare; a new handler of a known event begins this much later. */
export const READ_EVERY_MS = 5_000;
const RENEW_EVERY_MS = 60_000;
/** What was read longer ago is not relied upon; well below what a declaration holds. */
const READ_HOLDS_MS = 120_000;
/** A consumer that has no handler asks anew when what it knows is older. */
const FRESH_MS = 1_000;

interface Handling {
  handled: ReadonlySet<string>;
  known: ReadonlySet<string>;
}

/** The parts of a message that decide. */
export interface Wanted {
  type: string;
  version: number;
  headers: Readonly<Record<string, string>>;
}

const setsOf = ({ handled, known }: Pick<ConsumerDeclaration, "handled" | "known">): Handling => ({
  handled: new Set(handled),
  known: new Set(known),
});

export class Declarations {
  private readonly own = new Map<string, ConsumerDeclaration>();
  /** The same, to be asked for each message. */
  private readonly ownSets = new Map<string, Handling>();
  private held = new Map<string, Handling[]>();
  /** Both, for each consumer that was asked for since either has changed. */
  private readonly combined = new Map<string, readonly Handling[]>();
  private readAtMs = -Infinity;
  private renewedAtMs = -Infinity;
  private reading: Promise<void> | undefined;

  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  /** Notes what a consumer of this process handles. */
  declare(consumer: string, handled: readonly string[], known: Iterable<string> = catalog.keys()): void {
    const declaration = { consumer, handled: [...handled].sort(), known: [...known].sort() };
    this.own.set(consumer, declaration);
    this.ownSets.set(consumer, setsOf(declaration));
    this.combined.clear();
    this.renewedAtMs = -Infinity;
  }

  /** Writes down what is this process's own when it is time to, and reads what all declare. */
  refresh(): Promise<void> {
    this.reading ??= this.exchange().finally(() => (this.reading = undefined));
    return this.reading;
  }

  private async exchange(): Promise<void> {
    const startedAtMs = this.nowMs();
    if (this.own.size > 0 && startedAtMs - this.renewedAtMs >= RENEW_EVERY_MS) {
      const own = [...this.own.values()];
      this.renewedAtMs = startedAtMs;
      await declarationsRenew(own).catch((error: unknown) => {
        this.renewedAtMs = -Infinity;
        throw error;
      });
    }
    const held = new Map<string, Handling[]>();
    for (const row of await declarationsHeld())
      held.set(row.consumer, [...(held.get(row.consumer) ?? []), setsOf(row)]);
    this.held = held;
    this.combined.clear();
    this.readAtMs = startedAtMs;
  }

  /** Whether the table has been read, lately enough to rely on it. */
  isKnown(): boolean {
    return this.nowMs() - this.readAtMs < READ_HOLDS_MS;
  }

  /** Whether a message is to be delivered to the subscription of that name. Yes, where it is not known. */
  isWanted(consumer: string, { type, version, headers }: Wanted): boolean {
    if (!this.isKnown()) return true;
    const versions = this.versionsOf(consumer);
    if (versions.length === 0) return true;
    const onlyFor = headers[REDRIVE_CONSUMER];
    if (onlyFor !== undefined && onlyFor !== consumer) return false;
    const key = `${type}@${version}`;
    return versions.some(({ handled }) => handled.has(key)) || !versions.some(({ known }) => known.has(key));
  }

  /** The consumers, of those that anybody declares, that the message is to be delivered to. */
  wantedBy(message: Wanted): string[] {
    const names = new Set([...this.held.keys(), ...this.own.keys()]);
    return [...names].filter((consumer) => this.isWanted(consumer, message));
  }

  /**
   * The consumers that the message is to be delivered to and that this process knows of from others only: its version of the app may
   * have no subscription of theirs.
   */
  wantedElsewhere(message: Wanted): string[] {
    return [...this.held.keys()].filter((consumer) => !this.own.has(consumer) && this.isWanted(consumer, message));
  }

  /** The one consumer that a message is for, if no version of the app that runs has it. */
  missingFor({ headers }: Pick<Wanted, "headers">): string | undefined {
    const onlyFor = headers[REDRIVE_CONSUMER];
    return onlyFor === undefined || this.own.has(onlyFor) || this.held.has(onlyFor) ? undefined : onlyFor;
  }

  /** Whether a version of the app that runs has the event in its catalogue. */
  isKnownToAny(key: string): boolean {
    return [...this.held.values()].some((versions) => versions.some(({ known }) => known.has(key)));
  }

  /** Whether another version of the consumer that runs has a handler. Rejects when the table cannot be read. */
  async isHandledElsewhere(consumer: string, key: string): Promise<boolean> {
    if (this.nowMs() - this.readAtMs >= FRESH_MS) await this.refresh();
    return this.versionsOf(consumer).some(({ handled }) => handled.has(key));
  }

  private versionsOf(consumer: string): readonly Handling[] {
    let versions = this.combined.get(consumer);
    if (versions === undefined) {
      const own = this.ownSets.get(consumer);
      versions = [...(this.held.get(consumer) ?? []), ...(own ? [own] : [])];
      this.combined.set(consumer, versions);
    }
    return versions;
  }
}

/** This process's. */
export const declarations = new Declarations();
