// "Begins with" as a range of texts in the order of code points, which is how the columns of records are ordered (COLLATE "C").

const SURROGATES_FROM = 0xd800;
const SURROGATES_TO = 0xdfff;
const CODE_POINT_MAX = 0x10ffff;

/** The first text behind all that begin with `prefix`; undefined where there is none. */
export function prefixEnd(prefix: string): string | undefined {
  const points = [...prefix].map((character) => character.codePointAt(0) ?? 0);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last >= CODE_POINT_MAX) continue;
    const next = last + 1 === SURROGATES_FROM ? SURROGATES_TO + 1 : last + 1;
    return String.fromCodePoint(...points, next);
  }
  return undefined;
}
