// A part of a text. Characters are counted as JavaScript does, in UTF-16.
export interface Page {
  text: string;
  next?: number;
}

/** No page begins or ends within a character outside the basic plane. */
export function pageOf(whole: string, offset: number, limit: number): Page {
  const begin = isWithinPair(whole, offset) ? offset + 1 : offset;
  const end = begin + limit;
  const cut = isWithinPair(whole, end) ? end + 1 : end;
  return { text: whole.slice(begin, cut), ...(cut < whole.length ? { next: cut } : {}) };
}

const isWithinPair = (text: string, at: number): boolean =>
  at > 0 && at < text.length && (text.codePointAt(at - 1) ?? 0) > 0xffff;
