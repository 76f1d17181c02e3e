// Rust's regex crate matches in time linear to the text, and so does this: a pattern becomes an automaton of positions
// (Thompson 1968) that reads each character once. Sets of positions are turned into states of a second automaton as a text
// reaches them (as in RE2 and Rust's own lazy DFA), up to a bound; where a text reaches ever new ones they are no longer kept.
// There is no backtracking, so no text takes longer than its length times the size of the pattern, and that has a limit too.
import { type Assertion, type Node, RegexpParser } from "./regexp-parser";
import { wordSet } from "./regexp-sets";
import { Work } from "./work";

/** Positions of a pattern; Rust refuses patterns by a size as well. */
const POSITIONS_MAX = 10_000;
/** What is kept per pattern: states, the positions in all of them, characters whose class is known. */
const STATES_MAX = 500;
const KEPT_POSITIONS_MAX = 100_000;
const CHARACTERS_MAX = 10_000;
/** Work for one request, in positions visited: about 40 ms. */
const VISITS_MAX = 1_000_000;
/** What a step costs beside the positions that it visits, what each position of a new state and a new character cost. */
const STEP_VISITS = 10;
const STATE_VISITS = 8;
const CHARACTER_VISITS = 40;
const ASCII_END = 0x80;
const SURROGATES = 0xd800;

/** The text is so long, and the pattern so large, that matching would hold up everybody else. */
export class RegexpLimit extends Error {}

interface Position {
  /** The set whose characters lead on, an assertion, a fork, or the end. */
  set: number;
  assertion: Assertion | null;
  next: number;
  other: number;
}

/** Matches only the empty text, wherever it stands: repeating it changes nothing. */
function isEmpty(node: Node): boolean {
  if (node.kind === "repeat") return node.high === 0 || isEmpty(node.what);
  return (node.kind === "all" || node.kind === "any") && node.of.every(isEmpty);
}

const FORK = -1;
const MATCH = -2;
const ASSERT = -3;

/** What an assertion wants to know of a neighbour; 0 = there is none. */
const EXISTS = 1;
const NEWLINE = 2;
const WORD = 4;
const ASCII_WORD = 8;

const isWord = new RegExp(`^${wordSet({ i: false, m: false, s: false, x: false, u: true })}$`, "v");
const isAsciiWord = /^\w$/;

class Program {
  readonly positions: Position[] = [];
  readonly sets: RegExp[] = [];
  private readonly known = new Map<string, number>();
  readonly start: number;

  constructor(pattern: Node) {
    const end = this.add({ set: MATCH, assertion: null, next: 0, other: 0 });
    this.start = this.node(pattern, end);
  }

  private add(position: Position): number {
    if (this.positions.length >= POSITIONS_MAX) throw new SyntaxError("the pattern is too large");
    return this.positions.push(position) - 1;
  }

  private set(source: string): number {
    let index = this.known.get(source);
    if (index === undefined) {
      index = this.sets.push(new RegExp(`^${source}$`, "v")) - 1;
      this.known.set(source, index);
    }
    return index;
  }

  /** @returns where `node` begins, if it leads on to `next` */
  private node(node: Node, next: number): number {
    switch (node.kind) {
      case "set":
        return this.add({ set: this.set(node.set), assertion: null, next, other: 0 });
      case "assert":
        return this.add({ set: ASSERT, assertion: node.assertion, next, other: 0 });
      case "all":
        return node.of.reduceRight((after, part) => this.node(part, after), next);
      case "any":
        return node.of.map((part) => this.node(part, next)).reduceRight((other, first) => this.fork(first, other));
      case "repeat":
        return this.repeat(node, next);
    }
  }

  private fork(next: number, other: number): number {
    return this.add({ set: FORK, assertion: null, next, other });
  }

  private repeat({ what, low, high }: Extract<Node, { kind: "repeat" }>, next: number): number {
    let after = next;
    if (low > POSITIONS_MAX || (high > POSITIONS_MAX && high !== Infinity))
      throw new SyntaxError("the pattern is too large");
    if (isEmpty(what)) return next;
    if (high === Infinity) {
      const loop = this.fork(0, next);
      this.positions[loop]!.next = this.node(what, loop);
      after = loop;
    } else for (let i = low; i < high; i++) after = this.fork(this.node(what, after), next);
    for (let i = 0; i < low; i++) after = this.node(what, after);
    return after;
  }
}

/** Positions that are waited in before the next character, and what is known of the last one. */
interface State {
  positions: Int32Array;
  before: number;
  /** By class of the next character. */
  next: (State | undefined)[];
}

/** Where no further character changes the answer. */
const MATCHED: State = { positions: new Int32Array(0), before: 0, next: [] };

function holds(assertion: Assertion, before: number, after: number): boolean {
  if (!("word" in assertion)) {
    if (assertion.at === "start") return before === 0;
    if (assertion.at === "end") return after === 0;
    const side = assertion.at === "lineStart" ? before : after;
    return side === 0 || (side & NEWLINE) !== 0;
  }
  const bit = assertion.word === "unicode" ? WORD : ASCII_WORD;
  const [left, right] = [(before & bit) !== 0, (after & bit) !== 0];
  switch (assertion.at) {
    case "boundary":
      return left !== right;
    case "noBoundary":
      return left === right;
    case "wordStart":
      return !left && right;
    case "wordEnd":
      return left && !right;
    case "startHalf":
      return !left;
    case "endHalf":
      return !right;
  }
}

/** Characters that no set and no assertion tells apart. */
interface CharacterClass {
  id: number;
  about: number;
  inSet: Uint8Array;
}

const END: CharacterClass = { id: 0, about: 0, inSet: new Uint8Array(0) };

function withStart(targets: Int32Array, start: number): Int32Array {
  const positions = new Int32Array(targets.length + 1);
  positions.set(targets);
  positions[targets.length] = start;
  return positions;
}

export class LinearRegexp {
  private readonly program: Program;
  private readonly classes = new Map<string, CharacterClass>();
  private readonly ascii: (CharacterClass | undefined)[] = new Array<undefined>(ASCII_END).fill(undefined);
  private readonly classOf = new Map<number, CharacterClass>();
  private readonly states = new Map<string, State>();
  private keptPositions = 0;
  private readonly marks: Int32Array;
  private readonly targets: Int32Array;
  private mark = 0;
  private readonly stack: number[] = [];
  private readonly first: State;
  private work = new Work();

  constructor(pattern: Node) {
    this.program = new Program(pattern);
    const size = this.program.positions.length;
    this.marks = new Int32Array(size);
    this.targets = new Int32Array(size);
    this.first = { positions: Int32Array.of(this.program.start), before: 0, next: [] };
  }

  /** Whether the text holds a match anywhere. What that takes is added to `work`. @throws RegexpLimit */
  test(text: string, work = new Work()): boolean {
    this.work = work;
    if (this.isCrowded()) this.forget();
    let state = this.first;
    for (let at = 0; at < text.length; at++) {
      let code = text.charCodeAt(at);
      if (code >= SURROGATES) {
        code = text.codePointAt(at)!;
        if (code > 0xffff) at++;
      }
      const char = (code < ASCII_END ? this.ascii[code] : this.classOf.get(code)) ?? this.characterClass(code);
      state = state.next[char.id] ?? this.step(state, char);
      if (state === MATCHED) return true;
    }
    return (state.next[END.id] ?? this.step(state, END)) === MATCHED;
  }

  private characterClass(code: number): CharacterClass {
    const char = String.fromCodePoint(code);
    const about =
      EXISTS |
      (char === "\n" ? NEWLINE : 0) |
      (isWord.test(char) ? WORD : 0) |
      (isAsciiWord.test(char) ? ASCII_WORD : 0);
    const inSet = Uint8Array.from(this.program.sets, (set) => (set.test(char) ? 1 : 0));
    const key = `${about} ${inSet.join("")}`;
    let found = this.classes.get(key);
    if (!found) this.classes.set(key, (found = { id: this.classes.size + 1, about, inSet }));
    this.work.visits += CHARACTER_VISITS + inSet.length;
    if (code < ASCII_END) this.ascii[code] = found;
    else {
      if (this.classOf.size >= CHARACTERS_MAX) this.classOf.clear();
      this.classOf.set(code, found);
    }
    return found;
  }

  /** Follows forks and assertions that hold between two characters, then the character itself. */
  private step(from: State, char: CharacterClass): State {
    const { positions } = this.program;
    const { stack, marks, targets } = this;
    const reached = ++this.mark;
    this.work.visits += STEP_VISITS;
    let count = 0;
    for (let i = from.positions.length - 1; i >= 0; i--) stack.push(from.positions[i]!);
    while (stack.length > 0) {
      const index = stack.pop()!;
      if (marks[index] === reached) continue;
      marks[index] = reached;
      this.work.visits++;
      const { set, assertion, next, other } = positions[index]!;
      if (set === MATCH) {
        stack.length = 0;
        return this.keep(from, char, MATCHED);
      }
      if (set === FORK) stack.push(other, next);
      else if (assertion) {
        if (holds(assertion, from.before, char.about)) stack.push(next);
      } else if (char.inSet[set] === 1) targets[count++] = next;
    }
    if (this.work.visits > VISITS_MAX) throw new RegexpLimit("the text is too long for the pattern");
    return this.keep(from, char, this.state(targets.subarray(0, count), char.about));
  }

  /** A search may begin at every character, hence with the start among the positions. */
  private state(targets: Int32Array, before: number): State {
    if (this.isCrowded()) return { positions: withStart(targets, this.program.start), before, next: [] };
    const positions = Int32Array.from(new Set(targets).add(this.program.start)).sort();
    const key = `${before} ${positions.join(" ")}`;
    this.work.visits += STATE_VISITS * positions.length;
    let found = this.states.get(key);
    if (!found) {
      this.keptPositions += positions.length;
      this.states.set(key, (found = { positions, before, next: [] }));
    }
    return found;
  }

  /** A text that led to ever new states goes on without keeping them; the next one begins anew. */
  private isCrowded(): boolean {
    return this.states.size >= STATES_MAX || this.keptPositions >= KEPT_POSITIONS_MAX;
  }

  private forget(): void {
    this.states.clear();
    this.keptPositions = 0;
    this.first.next = [];
  }

  private keep(from: State, char: CharacterClass, to: State): State {
    from.next[char.id] = to;
    return to;
  }
}

/** Compiles a Rust pattern. Throws an Error that shows the pattern when it cannot be understood. */
export function compileRegexp(source: string): LinearRegexp {
  try {
    return new LinearRegexp(new RegexpParser(source).parse());
  } catch (cause) {
    throw new Error(`the validation pattern ${JSON.stringify(source)} is not supported: ${String(cause)}`, { cause });
  }
}
