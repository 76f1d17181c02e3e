// The `Range` header of static assets: one range is served, anything else is 416 (contract, Appendix B, H-141).

export interface ByteRange {
  first: number;
  /** Inclusive. */
  last: number;
}

export type RangeProblem = "unsatisfiable" | "multipart";

const SINGLE = /^(\d*)-(\d*)$/;

function parseSingle(text: string, size: number): ByteRange | RangeProblem {
  const match = SINGLE.exec(text.trim());
  const [first, last] = [match?.[1] ?? "", match?.[2] ?? ""];
  if (!match || first + last === "" || size === 0) return "unsatisfiable";
  if (first === "") {
    const suffix = Number(last);
    return suffix === 0 || suffix > size ? "unsatisfiable" : { first: size - suffix, last: size - 1 };
  }
  const range = { first: Number(first), last: last === "" ? size - 1 : Math.min(Number(last), size - 1) };
  return range.first > range.last || range.first >= size ? "unsatisfiable" : range;
}

export function parseRange(header: string, size: number): ByteRange | RangeProblem {
  if (!header.startsWith("bytes=")) return "unsatisfiable";
  const parts = header.slice("bytes=".length).split(",");
  if (parts.length > 1)
    return parts.some((p) => typeof parseSingle(p, size) === "string") ? "unsatisfiable" : "multipart";
  return parseSingle(parts[0]!, size);
}
