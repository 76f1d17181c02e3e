// Many connections on PGlite's one session.
//
// The session is `free` or `owned`. It is owned from a unit that leaves a transaction open (ReadyForQuery
// says T or E) or a batch unfinished (no Sync yet) until the same connection's unit that ends it; only the
// owner's units run then. An owner that leaves the session idle while others wait is ended after
// `idleOwnerMs`, as Postgres does with idle_in_transaction_session_timeout: a transaction that awaits a
// query on a second connection would otherwise wait for ever.
import { commandTag, type Engine, notificationChannel, rowsOf } from "./engine";
import { code, errorResponse, type Frame, readyIdle, simpleQuery, sync } from "./frames";
import type { Session, Unit } from "./session";
import { applySettings, readSettings } from "./session-settings";
import { closeStatement } from "./statement-names";

const ReadyForQuery = code("Z");
const Notification = code("A");
const CommandComplete = code("C");
const RowDescription = code("T");
const ErrorResponse = code("E");
const Query = code("Q");

/**
 * What was prepared in SQL, in a DO block perhaps, has no connection's prefix and is every connection's. Asked as the owner, so by
 * qualified names: an app may make schemas that stand in a search path.
 */
const preparedInSql = "SELECT pg_catalog.quote_ident(name) FROM pg_catalog.pg_prepared_statements WHERE from_sql";

/** Takes the answer to the last of several statements, a query, out of the answer to all; after an error there is none. */
function splitLastRows(answer: readonly Frame[]): { own: Frame[]; rows: (string | null)[][] } {
  const from = answer.findLastIndex(({ type }) => type === RowDescription);
  const to = answer.findIndex(({ type }, index) => index > from && type === CommandComplete);
  if (answer.some(({ type }) => type === ErrorResponse)) return { own: [...answer], rows: [] };
  return { own: answer.toSpliced(from, to - from + 1), rows: rowsOf(answer.slice(from, to)) };
}

/** Units run in a row before sockets get a turn. */
const unitsPerTurn = 16;

export interface SchedulerOptions {
  /** Milliseconds; how long a transaction may idle while other connections wait. */
  idleOwnerMs: number;
  /** The engine has failed: nothing can run any more. */
  onFatal(error: unknown): void;
}

export class Scheduler {
  readonly #sessions = new Set<Session>();
  readonly #ready: Session[] = [];
  #owner: Session | undefined;
  #ownerTimer: NodeJS.Timeout | undefined;
  #running = false;
  /** Whose settings the engine has now. */
  #settings = new Map<string, string>();
  #unnamedOwner: Session | undefined;
  /** Whose unit ran last. */
  #last: Session | undefined;

  constructor(
    private readonly engine: Engine,
    private readonly options: SchedulerOptions,
  ) {}

  add(session: Session): void {
    this.#sessions.add(session);
  }

  submit(unit: Unit): void {
    const { session } = unit;
    session.units.push(unit);
    if (session.units.length === 1) this.#ready.push(session);
    this.#wake();
  }

  /** The connection has gone: its transaction is rolled back and its statements and channels forgotten. */
  remove(session: Session): void {
    session.closed = true;
    session.units.length = 0;
    this.#ready.push(session);
    this.#wake();
  }

  #wake(): void {
    if (this.#running) return;
    this.#running = true;
    this.#drain()
      .catch((error: unknown) => this.options.onFatal(error))
      .finally(() => {
        this.#running = false;
      });
  }

  async #drain(): Promise<void> {
    for (let count = 1; ; count++) {
      const session = this.#next();
      if (!session) break;
      this.#stopWatching();
      if (session.closed) await this.#forget(session);
      else await this.#runNext(session);
      if (count % unitsPerTurn === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    this.#watchOwner();
  }

  #next(): Session | undefined {
    const owner = this.#owner;
    if (!owner) return this.#ready.shift();
    const at = this.#ready.indexOf(owner);
    return at < 0 ? undefined : this.#ready.splice(at, 1)[0];
  }

  async #runNext(session: Session): Promise<void> {
    const unit = session.units.shift();
    if (!unit) return;
    if (session.units.length > 0) this.#ready.push(session);
    if (unit.effects.some((effect) => effect.copyFromClient)) return this.#refuseCopy(session);
    if (unit.messages[0]?.type === Query && unit.effects.some((effect) => effect.discardAll))
      return this.#discardAll(session, unit);
    await this.#prepareFor(session, unit);
    await this.#deliver(unit, await this.engine.run(unit.bytes));
    if (session.settingsStale && this.#owner !== session) await this.#readSettings(session);
  }

  /** Makes the engine look as this connection left it: its settings, its unnamed statement. */
  async #prepareFor(session: Session, unit: Unit): Promise<void> {
    if (this.#owner !== session) {
      await this.#clearAfter(session);
      await this.engine.become(session.identity);
      if (this.#settings !== session.settings) {
        // What one connection may set, another may not be allowed to take back.
        await this.engine.asOwner(() => applySettings(this.engine, this.#settings, session.settings));
        this.#settings = session.settings;
      }
    }
    if (unit.needsUnnamed && this.#unnamedOwner !== session && session.unnamedParse)
      await this.engine.run(session.unnamedParse);
    this.#unnamedOwner = session;
  }

  /**
   * What a statement has set is read off its text, which does not say everything (a DO block, a function): so what an app's
   * connection may have left in the session is taken back before another one's turn.
   */
  async #clearAfter(next: Session): Promise<void> {
    const last = this.#last;
    this.#last = next;
    if (last === undefined || last === next || last.identity !== "app") return;
    await this.engine.asOwner(() => this.engine.run(simpleQuery("RESET ALL")));
    this.#settings = new Map();
  }

  async #deliver({ session, effects }: Unit, answer: Frame[]): Promise<void> {
    const tags = new Set<string>();
    const own: Buffer[] = [];
    let status: string | undefined;
    for (const message of answer) {
      if (message.type === ReadyForQuery) status = String.fromCharCode(message.bytes[5] ?? 0);
      if (message.type === CommandComplete) tags.add(commandTag(message.bytes));
      if (message.type === Notification) this.#notify(message.bytes, session, own);
      else own.push(message.bytes);
    }
    this.#owner = status === "I" ? undefined : session;
    for (const effect of effects) this.#applyEffects(session, effect, tags);
    if (tags.has("UNLISTEN")) await this.#keepOthersListening();
    session.write(Buffer.concat(own));
  }

  #notify(message: Buffer, sender: Session, own: Buffer[]): void {
    const channel = notificationChannel(message);
    for (const session of this.#sessions) {
      if (!session.channels.has(channel)) continue;
      if (session === sender) own.push(message);
      else session.write(message);
    }
  }

  #applyEffects(
    session: Session,
    effect: { settings: boolean; customSettings: string[]; listen: string[]; unlisten: string[] },
    tags: Set<string>,
  ): void {
    if (effect.settings) session.settingsStale = true;
    for (const name of effect.customSettings) session.customSettings.add(name);
    if (tags.has("LISTEN")) for (const name of effect.listen) session.channels.add(name);
    if (!tags.has("UNLISTEN")) return;
    if (effect.unlisten.includes("*")) session.channels.clear();
    for (const name of effect.unlisten) session.channels.delete(name);
  }

  async #keepOthersListening(): Promise<void> {
    const channels = new Set([...this.#sessions].flatMap((session) => [...session.channels]));
    if (channels.size)
      await this.engine.run(
        simpleQuery([...channels].map((name) => `LISTEN "${name.replaceAll('"', '""')}"`).join(";")),
      );
  }

  async #readSettings(session: Session): Promise<void> {
    session.settingsStale = false;
    session.settings = await this.engine.asOwner(() => readSettings(this.engine, session.customSettings));
    this.#settings = session.settings;
  }

  /** Reading from the client in the middle of a statement is not possible in PGlite; the try would end it. */
  #refuseCopy(session: Session): void {
    const hint = "Insert the rows with INSERT, or set DATABASE_URL to a Postgres server.";
    session.write(
      Buffer.concat([
        errorResponse("ERROR", "0A000", "COPY FROM STDIN is not available on the embedded database", hint),
        readyIdle,
      ]),
    );
  }

  /** DISCARD ALL of one connection must not discard the statements and channels that the others have. */
  async #discardAll(session: Session, unit: Unit): Promise<void> {
    await this.#forgetState(session);
    this.#settings = session.settings;
    const isApp = session.identity === "app";
    const statements = `RESET ALL; CLOSE ALL; DISCARD TEMP; SELECT pg_catalog.pg_advisory_unlock_all(); ${isApp ? preparedInSql : "RESET SESSION AUTHORIZATION"}`;
    const answer = await this.engine.asOwner(() => this.engine.run(simpleQuery(statements)));
    const { own, rows } = isApp ? splitLastRows(answer) : { own: answer, rows: [] };
    await this.#deliver({ ...unit, effects: [] }, own);
    for (const [name] of rows) await this.engine.run(simpleQuery(`DEALLOCATE ${name}`));
    // Nothing of it is left that the next one's turn would have to take back.
    if (this.#owner === undefined && !answer.some(({ type }) => type === ErrorResponse)) this.#last = undefined;
  }

  async #forgetState(session: Session): Promise<void> {
    const names = [...session.statements.keys()].filter((name) => name !== "");
    if (names.length)
      await this.engine.run(Buffer.concat([...names.map((name) => closeStatement(session.prefix + name)), sync]));
    session.statements.clear();
    session.unnamedParse = undefined;
    session.settings = new Map();
    session.customSettings.clear();
    const channels = [...session.channels];
    session.channels.clear();
    if (channels.length) {
      await this.engine.run(simpleQuery("UNLISTEN *"));
      await this.#keepOthersListening();
    }
  }

  async #forget(session: Session): Promise<void> {
    if (!this.#sessions.delete(session)) return;
    if (this.#owner === session) {
      await this.engine.run(Buffer.concat([sync, simpleQuery("ROLLBACK")]));
      this.#owner = undefined;
    }
    await this.#forgetState(session);
  }

  /** One clock per idle spell: it runs from the first who waits, and whoever waits after that changes nothing. */
  #watchOwner(): void {
    const owner = this.#owner;
    if (!owner || this.#ready.length === 0 || this.#ownerTimer) return;
    this.#ownerTimer = setTimeout(() => this.#endIdleOwner(owner), this.options.idleOwnerMs);
  }

  #stopWatching(): void {
    clearTimeout(this.#ownerTimer);
    this.#ownerTimer = undefined;
  }

  #endIdleOwner(owner: Session): void {
    this.#ownerTimer = undefined;
    if (this.#owner !== owner || this.#running) return;
    const hint =
      "The embedded database runs one transaction at a time: inside a transaction use only its own handle, and do not wait for anything slow.";
    owner.write(
      errorResponse(
        "FATAL",
        "25P03",
        `terminating connection: its transaction was idle for ${this.options.idleOwnerMs} ms while others waited`,
        hint,
      ),
    );
    owner.end();
    this.remove(owner);
  }
}
