// `MatchesRegexp` patterns are written for Rust's regex syntax (contract 3.7). This translates them to JavaScript's,
// with the `v` flag, whose classes nest as Rust's do. A pattern that Rust would refuse, look-around and backreferences
// among them, stops the process at start, as it does officially (L-60). Patterns are only asked whether they match:
// what groups capture and which quantifiers are lazy does not matter.
import { character, members, posixClass, readEscape, wordSet, type Flags } from "./regexp-sets";

const SET_OPERATORS = ["&&", "--", "~~"];

const fail = (problem: string): never => {
  throw new SyntaxError(problem);
};

class Translator {
  private at = 0;
  private readonly names = new Set<string>();

  constructor(private readonly source: string) {}

  translate(): string {
    const out = this.alternatives({ i: false, m: false, s: false, x: false, u: true });
    return this.at < this.source.length ? fail("unopened group") : out;
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
  private alternatives(outer: Flags): string {
    const flags = { ...outer };
    let out = "";
    while (this.at < this.source.length && !this.looking(")")) {
      if (this.match(/^\|/)) out += "|";
      else if (flags.x && this.match(/^(?:\s+|#[^\n]*)/)) continue;
      else out += this.quantified(this.atom(flags), flags);
    }
    return out;
  }

  /** Quantifiers may follow each other and assertions, which JavaScript allows only around groups. */
  private quantified(atom: string, flags: Flags): string {
    let out = atom;
    let simple = "";
    for (;;) {
      if (flags.x) this.match(/^\s+/);
      const found = this.match(/^(?:([*+?])|\{\s*(\d*)\s*(?:(,)\s*(\d*)\s*)?\})\??/);
      if (found && atom === "") fail("nothing to repeat");
      if (found?.[1]) simple = oneQuantifier(simple + found[1]);
      else {
        if (simple !== "") out = `(?:${out})${simple}`;
        simple = "";
        if (!found) return out;
        out = `(?:${out})${counted(found[2], found[3], found[4])}`;
      }
    }
  }

  private atom(flags: Flags): string {
    const char = String.fromCodePoint(this.source.codePointAt(this.at)!);
    if (char === "(") return this.group(flags);
    if (char === "[") return this.set(flags);
    if (char === "\\") return this.assertion(flags) ?? this.escape(flags);
    if ("*+?{".includes(char)) return fail("nothing to repeat");
    this.at += char.length;
    if (char === ".") return flags.s ? "[\\s\\S]" : "[^\\n]";
    if (char === "^") return flags.m ? "(?<![^\\n])" : "^";
    if (char === "$") return flags.m ? "(?![^\\n])" : "$";
    return this.literal(char.codePointAt(0)!, flags);
  }

  private literal(code: number, flags: Flags): string {
    const all = members(code, code, flags);
    return all === character(code) ? all : `[${all}]`;
  }

  private group(flags: Flags): string {
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
    return end === ")" ? "" : this.rest(target);
  }

  private rest(flags: Flags): string {
    const inner = this.alternatives(flags);
    if (!this.match(/^\)/)) fail("unclosed group");
    return `(?:${inner})`;
  }

  private assertion(flags: Flags): string | undefined {
    const found = this.match(/^\\(?:[Az<>B]|b(?:\{(?:start|end)(?:-half)?\})?)/)?.[0];
    if (found === undefined) return undefined;
    const word = wordSet(flags);
    const [starts, ends] = [`(?<!${word})(?=${word})`, `(?<=${word})(?!${word})`];
    switch (found) {
      case "\\A":
        return "^";
      case "\\z":
        return "$";
      case "\\b":
        return `(?:${starts}|${ends})`;
      case "\\B":
        return `(?:(?<=${word})(?=${word})|(?<!${word})(?!${word}))`;
      case "\\b{start-half}":
        return `(?<!${word})`;
      case "\\b{end-half}":
        return `(?!${word})`;
      default:
        return found === "\\<" || found === "\\b{start}" ? starts : ends;
    }
  }

  private escape(flags: Flags): string {
    const found = readEscape(this.source, this.at, flags);
    this.at += found.length;
    return "set" in found ? found.set : this.literal(found.code, flags);
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

function counted(low = "", comma = "", high = ""): string {
  if (low === "" && high === "") fail("a repetition without a number");
  return `{${low === "" ? "0" : low}${comma}${high}}`;
}

/** `a++` is `a+`: nested repetitions would take a backtracking engine for ever. */
function oneQuantifier(all: string): string {
  if (all.length === 1 || !/[*+]/.test(all)) return all[0]!;
  return /[*?]/.test(all) ? "*" : "+";
}

function combine(left: string, operator: string, right: string): string {
  if (operator === "") return right;
  return operator === "~~" ? `[[${left}]--[${right}]][[${right}]--[${left}]]` : `[${left}]${operator}[${right}]`;
}

/** Compiles a Rust pattern. Throws an Error that shows the pattern when it cannot be understood. */
export function compileRegexp(source: string): RegExp {
  try {
    return new RegExp(new Translator(source).translate(), "v");
  } catch (cause) {
    throw new Error(`the validation pattern ${JSON.stringify(source)} is not supported: ${String(cause)}`, { cause });
  }
}
