// One client connection, as far as it differs from the others: its statements, settings and channels, which
// PGlite's only session cannot hold apart, and the work it has handed in.
import type { Identity } from "./engine";
import type { Frame } from "./frames";
import { effectsOf, type SqlEffects } from "./sql-effects";
import { prefixStatement, statementUse, type StatementUse } from "./statement-names";
import { code } from "./frames";

/** Messages that must run together: up to and including a Query, Sync, Flush or FunctionCall. */
export interface Unit {
  session: Session;
  messages: Frame[];
  effects: SqlEffects[];
  /** It binds or describes the unnamed statement of an earlier unit. */
  needsUnnamed: boolean;
  bytes: Buffer;
}

const unitEnds = new Set([code("Q"), code("S"), code("H"), code("F")]);
const Query = code("Q");

let lastId = 0;

export class Session {
  readonly id = ++lastId;
  readonly units: Unit[] = [];
  readonly channels = new Set<string>();
  /** Settings this connection has made for itself, by name. */
  settings = new Map<string, string>();
  readonly customSettings = new Set<string>();
  /** Its settings must be read again as soon as it is outside a transaction. */
  settingsStale = false;
  /** Named statements it has prepared, with what executing them does. */
  readonly statements = new Map<string, SqlEffects>();
  /** Its last Parse of the unnamed statement, to repeat when another connection has replaced it. */
  unnamedParse: Buffer | undefined;
  closed = false;
  #pending: Frame[] = [];

  constructor(
    readonly write: (bytes: Buffer) => void,
    readonly end: () => void,
    readonly identity: Identity,
  ) {}

  get prefix(): string {
    return `${this.id}~`;
  }

  /** Adds a message; answers the unit when the message completes one. */
  take(message: Frame): Unit | undefined {
    this.#pending.push(message);
    if (!unitEnds.has(message.type)) return undefined;
    const messages = this.#pending;
    this.#pending = [];
    return this.#unit(messages);
  }

  #unit(messages: Frame[]): Unit {
    const effects: SqlEffects[] = [];
    const parts: Buffer[] = [];
    let needsUnnamed = false;
    let parsedUnnamed = false;
    for (const message of messages) {
      const use = statementUse(message);
      if (message.type === Query) {
        effects.push(effectsOf(message.bytes.toString("utf8", 5, message.bytes.length - 1)));
        parsedUnnamed = true; // a simple query drops the unnamed statement
        this.unnamedParse = undefined;
      }
      if (use) {
        if (use.name === "" && use.kind === "parse") parsedUnnamed = true;
        else if (use.name === "" && use.kind !== "close" && !parsedUnnamed) needsUnnamed = true;
        this.#note(use, message, effects);
      }
      parts.push(use ? prefixStatement(message, use, this.prefix) : message.bytes);
    }
    return { session: this, messages, effects, needsUnnamed, bytes: Buffer.concat(parts) };
  }

  #note(use: StatementUse, message: Frame, effects: SqlEffects[]): void {
    if (use.kind === "parse") {
      if (use.name === "") this.unnamedParse = message.bytes;
      this.statements.set(use.name, effectsOf(use.sql ?? ""));
    }
    if (use.kind === "bind") {
      const effect = this.statements.get(use.name);
      if (effect) effects.push(effect);
    }
    if (use.kind === "close") this.statements.delete(use.name);
  }
}
