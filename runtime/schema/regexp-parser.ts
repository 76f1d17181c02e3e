// `MatchesRegexp` patterns are written for Rust's regex syntax (contract 3.7). This reads them into a tree whose leaves are
// sets of characters, as JavaScript's classes with the `v` flag, which nest as Rust's do. A pattern that Rust would refuse,
// look-around and backreferences among them, stops the process at start, as it does officially (L-60). Patterns are only
// asked whether they match: what groups capture and which quantifiers are lazy does not matter.
import { members, posixClass, readEscape, type Flags } from "./regexp-sets";

/** A place between two characters. `word` says which characters are word characters. */
export type Assertion = { at: "start" | "end" | "lineStart" | "lineEnd" } | { at: Boundary; word: "unicode" | "ascii" };
export type Boundary = "boundary" | "noBoundary" | "wordStart" | "wordEnd" | "startHalf" | "endHalf";

export type Node =
  /** One character of a set, the source of a JavaScript class with its brackets. */
  | { kind: "set"; set: string }
  | { kind: "assert"; assertion: Assertion }
  | { kind: "all" | "any"; of: Node[] }
  | { kind: "repeat"; what: Node; low: number; high: number };

const SET_OPERATORS = ["&&", "--", "~~"];
const BOUNDARIES: Record<string, Boundary> = {
  "\\b": "boundary",
  "\\B": "noBoundary",
  "\\<": "wordStart",
  "\\b{start}": "wordStart",
  "\\>": "wordEnd",
  "\\b{end}": "wordEnd",
  "\\b{start-half}": "startHalf",
  "\\b{end-half}": "endHalf",
};

const fail = (problem: string): never => {
  throw new SyntaxError(problem);
};

export class RegexpParser {
  private at = 0;
  private readonly names = new Set<string>();

  constructor(private readonly source: string) {}

  parse(): Node {
    const node = this.alternatives({ i: false, m: false, s: false, x: false, u: true });
    return this.at < this.source.length ? fail("unopened group") : node;
  }

  private looking(text: string): boolean {
    return this.source.startsWith(text, this.at);
  }

  private match(pattern: RegExp): RegExpExecArray | null {
    const found = pattern.exec(this.source.slice(this.at));
    if (found) this.at += found[0].length;
    return found;
  }

  /** Everything up to the end of the group. Flags set in it end with it. */
  private alternatives(outer: Flags): Node {
    const flags = { ...outer };
    const alternatives: Node[] = [];
    let sequence: Node[] = [];
    while (this.at < this.source.length && !this.looking(")")) {
      if (this.match(/^\|/)) {
        alternatives.push({ kind: "all", of: sequence });
        sequence = [];
      } else if (flags.x && this.match(/^(?:\s+|#[^\n]*)/)) continue;
      else {
        const atom = this.quantified(this.atom(flags), flags);
        if (atom) sequence.push(atom);
      }
    }
    const last: Node = { kind: "all", of: sequence };
    return alternatives.length === 0 ? last : { kind: "any", of: [...alternatives, last] };
  }

  /** Quantifiers may follow each other and assertions. Nothing is what `(?flags)` leaves. */
  private quantified(atom: Node | null, flags: Flags): Node | null {
    let out = atom;
    for (;;) {
      if (flags.x) this.match(/^\s+/);
      const found = this.match(/^(?:([*+?])|\{\s*(?:(\d+)\s*)?(?:(,)\s*(?:(\d+)\s*)?)?\})\??/);
      if (!found) return out;
      if (out === null) return fail("nothing to repeat");
      out = { kind: "repeat", what: out, ...(found[1] ? simple(found[1]) : counted(found[2], found[3], found[4])) };
    }
  }

  private atom(flags: Flags): Node | null {
    const char = String.fromCodePoint(this.source.codePointAt(this.at)!);
    if (char === "(") return this.group(flags);
    if (char === "[") return { kind: "set", set: this.set(flags) };
    if (char === "\\") return this.assertion(flags) ?? this.escape(flags);
    if ("*+?{".includes(char)) return fail("nothing to repeat");
    this.at += char.length;
    if (char === ".") return { kind: "set", set: flags.s ? "[\\s\\S]" : "[^\\n]" };
    if (char === "^") return { kind: "assert", assertion: { at: flags.m ? "lineStart" : "start" } };
    if (char === "$") return { kind: "assert", assertion: { at: flags.m ? "lineEnd" : "end" } };
    return this.literal(char.codePointAt(0)!, flags);
  }

  private literal(code: number, flags: Flags): Node {
    return { kind: "set", set: `[${members(code, code, flags)}]` };
  }

  private group(flags: Flags): Node | null {
    const named = this.match(/^\(\?P?<([A-Za-z_][\w.[\]]*)>/);
    if (named) {
      if (this.names.has(named[1]!)) fail(`two groups are named ${named[1]}`);
      this.names.add(named[1]!);
      return this.rest(flags);
    }
    if (!this.looking("(?")) {
      this.at++;
      return this.rest(flags);
    }
    const switched = this.match(/^\(\?([imsxuUR]*)(?:-([imsxuUR]+))?([:)])/) ?? fail("look-around is not supported");
    const [, on = "", off = "", end] = switched;
    const target = end === ")" ? flags : { ...flags };
    for (const flag of on) if (flag in target) target[flag as keyof Flags] = true;
    for (const flag of off) if (flag in target) target[flag as keyof Flags] = false;
    return end === ")" ? null : this.rest(target);
  }

  private rest(flags: Flags): Node {
    const inner = this.alternatives(flags);
    if (!this.match(/^\)/)) fail("unclosed group");
    return inner;
  }

  private assertion(flags: Flags): Node | undefined {
    const found = this.match(/^\\(?:[Az<>B]|b(?:\{(?:start|end)(?:-half)?\})?)/)?.[0];
    if (found === undefined) return undefined;
    if (found === "\\A") return { kind: "assert", assertion: { at: "start" } };
    if (found === "\\z") return { kind: "assert", assertion: { at: "end" } };
    return { kind: "assert", assertion: { at: BOUNDARIES[found]!, word: flags.u ? "unicode" : "ascii" } };
  }

  private escape(flags: Flags): Node {
    const found = readEscape(this.source, this.at, flags);
    this.at += found.length;
    return "set" in found ? { kind: "set", set: `[${found.set}]` } : this.literal(found.code, flags);
  }

  /** A class; its operators take everything on their left. */
  private set(flags: Flags): string {
    const isNegated = this.match(/^\[(\^?)/)![1] === "^";
    let left = "";
    let operator = "";
    let operand = this.match(/^-+(?!-)/)?.[0].replace(/-/g, "\\-") ?? "";
    if (operand === "" && this.match(/^\]/)) operand = "\\]";
    for (;;) {
      if (this.at >= this.source.length) fail("unclosed class");
      const next = SET_OPERATORS.find((o) => this.looking(o));
      if (next === undefined && !this.looking("]")) {
        operand += this.item(flags);
        continue;
      }
      left = combine(left, operator, operand);
      if (next === undefined) break;
      this.at += next.length;
      [operator, operand] = [next, ""];
    }
    this.at++;
    return `[${isNegated ? "^" : ""}${left}]`;
  }

  private item(flags: Flags): string {
    if (flags.x && this.match(/^\s+/)) return "";
    const posix = posixClass(this.source, this.at, flags);
    if (posix) this.at += posix.length;
    if (posix) return posix.set;
    if (this.looking("[")) return this.set(flags);
    const first = this.end(flags);
    if (typeof first === "string") return first;
    if (!this.match(/^-(?![-\]])/)) return members(first, first, flags);
    const last = this.end(flags);
    return typeof last === "string" ? fail("a range ends in a class") : members(first, last, flags);
  }

  /** A character of a class, or a set that stands there. */
  private end(flags: Flags): number | string {
    if (this.looking("\\")) {
      const found = readEscape(this.source, this.at, flags);
      this.at += found.length;
      return "set" in found ? found.set : found.code;
    }
    const code = this.source.codePointAt(this.at) ?? fail("unclosed class");
    this.at += String.fromCodePoint(code).length;
    return code;
  }
}

function simple(quantifier: string): { low: number; high: number } {
  return { low: quantifier === "+" ? 1 : 0, high: quantifier === "?" ? 1 : Infinity };
}

function counted(low = "", comma = "", high = ""): { low: number; high: number } {
  if (low === "" && high === "") fail("a repetition without a number");
  const least = Number(low);
  const most = comma === "" ? least : high === "" ? Infinity : Number(high);
  return most < least ? fail("a repetition whose numbers are out of order") : { low: least, high: most };
}

function combine(left: string, operator: string, right: string): string {
  if (operator === "") return right;
  return operator === "~~" ? `[[${left}]--[${right}]][[${right}]--[${left}]]` : `[${left}]${operator}[${right}]`;
}
