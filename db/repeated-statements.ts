// A statement that a transaction asks for more than once is read by the server once: from the second time on it has a name,
// and later times bind that. For a name no longer than its transaction: so a pooler that gives each transaction another
// connection has no part in it, and whatever prepares a statement under the same name in SQL does so for itself.
// Source: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
import type { Statement } from "./pipeline";

/** Texts that are looked out for; a body that asks for more different ones repeats few. */
const TEXTS_MAX = 32;
const PREFIX = "repeated ";

export class RepeatedStatements {
  /** Texts that were sent, with the name they have now; "" for none. */
  private readonly sent = new Map<string, string>();
  private names = 0;

  /** The statements of one message as they are sent; `confirm` when they succeeded: only then the server has the names. */
  named(statements: readonly Statement[]): { statements: Statement[]; confirm: () => void } {
    const added = new Map<string, string>();
    const named = statements.map((statement): Statement => {
      const known = added.get(statement.text) ?? this.sent.get(statement.text);
      if (known) return { ...statement, name: known, isPrepared: true };
      if (known === undefined) {
        if (this.sent.size + added.size < TEXTS_MAX) added.set(statement.text, "");
        return statement;
      }
      const name = `${PREFIX}${++this.names}`;
      added.set(statement.text, name);
      return { ...statement, name };
    });
    const confirm = (): void => {
      for (const [text, name] of added) this.sent.set(text, name);
    };
    return { statements: named, confirm };
  }

  /** All names that may be known to the server. */
  all(): string[] {
    return Array.from({ length: this.names }, (_, at) => `${PREFIX}${at + 1}`);
  }
}
