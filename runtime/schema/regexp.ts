// `MatchesRegexp` patterns are written for Rust's regex syntax (contract 3.7). This translates what differs from
// JavaScript's; a pattern that neither knows stops the process at start, as it does officially (L-60).

const CLASSES: Record<string, string> = {
  d: "\\p{Nd}", D: "\\P{Nd}", s: "\\p{White_Space}", S: "\\P{White_Space}", h: "[ \\t]",
};
const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200c\\u200d";
const POSIX: Record<string, string> = {
  alnum: "0-9A-Za-z", alpha: "A-Za-z", ascii: "\\x00-\\x7f", blank: "\\t ", cntrl: "\\x00-\\x1f\\x7f", digit: "0-9",
  graph: "!-~", lower: "a-z", print: " -~", punct: "!-\\/:-@\\[-`\\{-~", space: "\\t\\n\\v\\f\\r ", upper: "A-Z", word: "0-9A-Za-z_", xdigit: "0-9A-Fa-f",
};

interface Cursor {
  source: string;
  at: number;
  inClass: boolean;
}

function escape(cursor: Cursor): string {
  const { source, at, inClass } = cursor;
  const char = source[at + 1] ?? "";
  cursor.at += 2;
  if (char === "w") return inClass ? WORD : `[${WORD}]`;
  if (char === "W") return `[^${WORD}]`;
  if (char in CLASSES) return CLASSES[char]!;
  if (char === "A") return "^";
  if (char === "z") return "$";
  if (char === "a") return "\\x07";
  const hex = /^\\[xuU]\{([0-9A-Fa-f]+)\}/.exec(source.slice(at));
  if (hex) {
    cursor.at = at + hex[0].length;
    return `\\u{${hex[1]}}`;
  }
  const short = /^\\p([A-Z])/.exec(source.slice(at));
  if (short) {
    cursor.at = at + 3;
    return `\\p{${short[1]}}`;
  }
  const isPlain = /[^\w^$\\.*+?()[\]{}|/-]/.test(char) || (char === "-" && !inClass);
  return isPlain ? char : `\\${char}`;
}

function group(cursor: Cursor): string {
  const rest = cursor.source.slice(cursor.at);
  if (/^\(\?(?:[=!]|<[=!])/.test(rest)) throw new SyntaxError("look-around is not supported");
  const named = /^\(\?P?</.exec(rest);
  cursor.at += named ? named[0].length : 1;
  return named ? "(?<" : "(";
}

function inClass(cursor: Cursor): string {
  const rest = cursor.source.slice(cursor.at);
  const posix = /^\[:(\^?)([a-z]+):\]/.exec(rest);
  if (posix && POSIX[posix[2]!] && !posix[1]) {
    cursor.at += posix[0].length;
    return POSIX[posix[2]!]!;
  }
  const char = rest[0]!;
  cursor.at++;
  if (char === "]") cursor.inClass = false;
  return char === "[" ? "\\[" : char;
}

function outsideClass(cursor: Cursor): string {
  const char = cursor.source[cursor.at]!;
  if (char === "(") return group(cursor);
  cursor.at++;
  if (char === "[") {
    cursor.inClass = true;
    const open = /^\^?\]?/.exec(cursor.source.slice(cursor.at))![0];
    cursor.at += open.length;
    return `[${open.replace("]", "\\]")}`;
  }
  if (char === ".") return "[^\\n]";
  return char === "]" || char === "}" ? closing(cursor, char) : char;
}

/** A closing bracket without its opening one is an ordinary character. */
function closing(cursor: Cursor, char: string): string {
  const isQuantifier = char === "}" && /(?:\{\d+,?\d*|\\[pPxu]\{[^}]*)$/.test(cursor.source.slice(0, cursor.at - 1));
  return isQuantifier ? char : `\\${char}`;
}

/** Compiles a Rust pattern. Throws an Error that shows the pattern when it cannot be understood. */
export function compileRegexp(source: string): RegExp {
  const flags = /^\(\?([imsx]+)\)/.exec(source);
  const cursor: Cursor = { source, at: flags?.[0].length ?? 0, inClass: false };
  let out = "";
  try {
    while (cursor.at < source.length) {
      if (source[cursor.at] === "\\") out += escape(cursor);
      else out += cursor.inClass ? inClass(cursor) : outsideClass(cursor);
    }
    const dotAll = flags?.[1]?.includes("s") ? out.replaceAll("[^\\n]", "[^]") : out;
    return new RegExp(dotAll, `u${(flags?.[1] ?? "").replace(/[sx]/g, "")}`);
  } catch (cause) {
    throw new Error(`the validation pattern ${JSON.stringify(source)} is not supported: ${String(cause)}`, { cause });
  }
}
