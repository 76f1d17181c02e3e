// One range of bytes, as RFC 9110 §14.1.2 writes it. Several at once are answered by the whole, which §14.2 allows.

export interface ByteRange {
  first: number;
  /** Included. */
  last: number;
}

const SHAPE = /^bytes=(\d{0,16})-(\d{0,16})$/;

/** Undefined: the whole. "none": the file has no such bytes. */
export function parseRange(header: string | undefined, size: number): ByteRange | "none" | undefined {
  const [, from = "", to = ""] = SHAPE.exec(header ?? "") ?? [];
  if (from === "" && to === "") return undefined;
  const first = from === "" ? Math.max(0, size - Number(to)) : Number(from);
  const last = from === "" || to === "" ? size - 1 : Math.min(Number(to), size - 1);
  if (from !== "" && to !== "" && Number(to) < first) return undefined;
  return first >= size || first > last ? "none" : { first, last };
}
