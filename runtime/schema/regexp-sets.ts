// Sets of characters in Rust's regex syntax (contract 3.7) as JavaScript's, for patterns with the `v` flag: escapes,
// Unicode properties, POSIX classes, letters in both cases.

/** What `(?flags)` switches; laziness and the `U` flag do not matter to whether a text matches. */
export interface Flags {
  /** Letters in either case. */
  i: boolean;
  /** `^` and `$` at line ends. */
  m: boolean;
  /** `.` matches a line feed. */
  s: boolean;
  /** Blanks and comments in the pattern mean nothing. */
  x: boolean;
  /** Unicode classes, on unless `(?-u)`. */
  u: boolean;
}

const POSIX: Record<string, string> = {
  alnum: "0-9A-Za-z",
  alpha: "A-Za-z",
  ascii: "\\x00-\\x7f",
  blank: "\\t\\x20",
  cntrl: "\\x00-\\x1f\\x7f",
  digit: "0-9",
  graph: "!-~",
  lower: "a-z",
  print: "\\x20-~",
  punct: "!-\\/:-@\\[-`\\{-~",
  space: "\\t\\n\\v\\f\\r\\x20",
  upper: "A-Z",
  word: "0-9A-Za-z_",
  xdigit: "0-9A-Fa-f",
};
const CLASSES: Record<string, string> = {
  d: "\\p{Nd}",
  s: "\\p{White_Space}",
  w: "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200c\\u200d",
};
const ASCII_CLASSES: Record<string, string> = { d: "0-9", s: "\\t\\n\\v\\f\\r\\x20", w: "0-9A-Za-z_" };
const CONTROLS: Record<string, number> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 };
const PROPERTY_KEYS: Record<string, string> = {
  sc: "Script=",
  script: "Script=",
  scx: "Script_Extensions=",
  scriptextensions: "Script_Extensions=",
  gc: "General_Category=",
  generalcategory: "General_Category=",
};
/** Ranges up to this size are spelled out in both cases. */
const MAX_CASED_RANGE = 0x1000;
/** Letters whose other case is found in neither direction by upper and lower casing. */
const CASE_COUSINS: Record<string, string> = {
  k: "\u212a",
  s: "\u017f",
  "\u00e5": "\u212b",
  "\u03bc": "\u00b5",
  "\u03c3": "\u03c2",
  "\u03c9": "\u2126",
};

const fail = (problem: string): never => {
  throw new SyntaxError(problem);
};

export const wordSet = (flags: Flags): string => `[${(flags.u ? CLASSES : ASCII_CLASSES).w}]`;

/** One character, safe inside and outside of classes. */
export function character(code: number): string {
  const text = String.fromCodePoint(code);
  return /[0-9A-Za-z]/.test(text) ? text : `\\u{${code.toString(16)}}`;
}

function cases(code: number): number[] {
  const text = String.fromCodePoint(code);
  const lower = text.toLowerCase();
  const all = [text, lower, text.toUpperCase(), CASE_COUSINS[lower] ?? text];
  return [...new Set(all.filter((t) => [...t].length === 1).map((t) => t.codePointAt(0)!))];
}

/** The members of a class for one character or a range of them. */
export function members(first: number, last: number, flags: Flags): string {
  if (last < first) fail("a range ends before it begins");
  const range = first === last ? character(first) : `${character(first)}-${character(last)}`;
  if (!flags.i || last - first > MAX_CASED_RANGE) return range;
  const others = new Set<number>();
  for (let code = first; code <= last; code++) for (const c of cases(code)) if (c < first || c > last) others.add(c);
  return range + [...others].map(character).join("");
}

/** `[:alpha:]`, or undefined when the text at this place is none. */
export function posixClass(source: string, at: number, flags: Flags): { set: string; length: number } | undefined {
  const match = /^\[:(\^?)([a-z]+):\]/.exec(source.slice(at));
  const name = match?.[2] ?? "";
  if (!match || !Object.hasOwn(POSIX, name)) return undefined;
  const bothCases = flags.i && (name === "lower" || name === "upper") ? "A-Za-z" : POSIX[name];
  return { set: `[${match[1]}${bothCases}]`, length: match[0].length };
}

function isProperty(name: string): boolean {
  try {
    new RegExp(`\\p{${name}}`, "v");
    return true;
  } catch {
    return false;
  }
}

/** Rust compares names loosely; JavaScript wants them as Unicode writes them. */
function property(text: string, flags: Flags): string {
  const [name, key] = text.split(/!?[=:]/).reverse() as [string, string?];
  const words = name
    .trim()
    .split(/[ _-]+/)
    .map((w) => w[0]?.toUpperCase() + w.slice(1).toLowerCase())
    .join("_");
  if (flags.i && /^(?:Lu|Ll|Lt|Uppercase_Letter|Lowercase_Letter|Titlecase_Letter)$/.test(words)) return "\\p{LC}";
  const prefix =
    key === undefined ? "" : (PROPERTY_KEYS[key.toLowerCase().replace(/[ _-]/g, "")] ?? fail(`no property ${key}`));
  const known = [words, name.trim(), name.trim().toUpperCase()]
    .flatMap((n) => (prefix === "" ? [n, `Script=${n}`] : [prefix + n]))
    .find(isProperty);
  return `\\p{${known ?? fail(`no property ${text}`)}}`;
}

/** What an escape stands for: one character, or a set. */
export type Escape = { length: number } & ({ code: number } | { set: string });

function hexEscape(rest: string): Escape | undefined {
  const match = /^\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|[xuU]\{\s*([0-9A-Fa-f]+)\s*\})/.exec(rest);
  return match
    ? {
        length: match[0].length,
        code: parseInt(
          match.slice(1).find((h) => h !== undefined)!,
          16,
        ),
      }
    : undefined;
}

function setEscape(rest: string, flags: Flags): Escape | undefined {
  const perl = /^\\([dswDSW])/.exec(rest)?.[1];
  if (perl !== undefined) {
    const set = (flags.u ? CLASSES : ASCII_CLASSES)[perl.toLowerCase()];
    return { length: 2, set: perl === perl.toLowerCase() ? `[${set}]` : `[^${set}]` };
  }
  const match = /^\\([pP])(?:\{(\^?)([^}]*)\}|([A-Za-z]))/.exec(rest);
  if (!match) return undefined;
  const isNegated = ((match[1] === "P") !== (match[2] === "^")) !== (match[3]?.includes("!=") ?? false);
  return { length: match[0].length, set: `[${isNegated ? "^" : ""}${property(match[3] ?? match[4]!, flags)}]` };
}

/** Reads an escape that is allowed inside and outside of classes. Throws a SyntaxError for what Rust does not know. */
export function readEscape(source: string, at: number, flags: Flags): Escape {
  const rest = source.slice(at, at + 80);
  const found = hexEscape(rest) ?? setEscape(rest, flags);
  if (found) return found;
  const char = [...rest][1] ?? "";
  if (Object.hasOwn(CONTROLS, char)) return { length: 2, code: CONTROLS[char]! };
  if (!/^[\u0020-\u007e]$/.test(char) || /[0-9A-Za-z<>]/.test(char)) return fail(`no escape \\${char}`);
  return { length: 2, code: char.charCodeAt(0) };
}
