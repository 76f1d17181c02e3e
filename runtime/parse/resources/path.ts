// Paths of endpoints (L-21): segments with the place of each, for errors.
import type { PathSegment } from "../../model";
import { Refusal, type Spot } from "../errors";

export interface PathPart {
  segment: PathSegment;
  spot: Spot;
}

type Marked = { mark: "" | ":" | "*" | "!"; value: string };

const KINDS = { ":": "param", "*": "wildcard", "!": "fallback" } as const;

function marked(raw: string): Marked {
  const mark = raw.charAt(0);
  return mark === ":" || mark === "*" || mark === "!" ? { mark, value: raw.slice(1) } : { mark: "", value: raw };
}

/** What is wrong with the text as a URL path. */
function urlProblem(path: string): string | undefined {
  if (path === "") return "empty path";
  if (!path.startsWith("/")) return "path must start with '/'";
  if (path.startsWith("//")) return "path cannot contain url authority";
  const [beforeFragment = ""] = path.split("#");
  if (beforeFragment.includes("?")) return "path cannot contain query parameters (the '?' character)";
  return path.includes("#") ? "path cannot contain url fragment (the '#' character)" : undefined;
}

function segmentProblem({ mark, value }: Marked, index: number, count: number): string | undefined {
  const isLast = index === count - 1;
  if (mark === "") return value === "" && count > 1 ? "path cannot contain empty path segment" : undefined;
  if (mark !== "!" && value === "") return "path parameters must have a name";
  if (mark === "*" && !isLast) return "wildcard segment must be at the end of the path";
  return mark === "!" && !isLast ? "fallback segment must be at the end of the path" : undefined;
}

/**
 * Segments of `path`, whose text stands at `spot`.
 * @throws Refusal at the first segment that is wrong
 */
export function parsePath(path: string, spot: Spot): PathPart[] {
  const problem = urlProblem(path);
  if (problem) throw new Refusal(problem, spot);
  let offset = 0;
  const parts = path
    .slice(1)
    .split("/")
    .map((raw) => {
      const at = offset + 1;
      offset += raw.length + 1;
      return { ...marked(raw), spot: { ...spot, offset: spot.offset + at } };
    });
  for (const [index, part] of parts.entries()) {
    const wrong = segmentProblem(part, index, parts.length);
    if (wrong) throw new Refusal(wrong, part.spot);
  }
  return parts.map(({ mark, value, spot: at }) => ({
    spot: at,
    segment: mark === "" ? { kind: "literal", value } : { kind: KINDS[mark], value, type: "string" },
  }));
}

const MARKS = { literal: "", param: ":", wildcard: "*", fallback: "!" } as const;

/** The path as it was written. */
export const pathText = (segments: PathSegment[]): string =>
  `/${segments.map((segment) => MARKS[segment.kind] + segment.value).join("/")}`;
