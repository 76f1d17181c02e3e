// The app's own frames of an error's stack, in the shape of Encore's log lines: files relative to the app.
import { isAbsolute, relative } from "node:path";
import { fileURLToPath } from "node:url";

export interface Frame {
  file: string;
  func: string;
  line: number;
}

const frameForm = /^\s*at (?:(.+?) \()?((?:file:\/\/)?[^()]+?):(\d+):\d+\)?$/;

/** A message is part of the stack's text, and may have lines that look like frames: a URL there need not be one of a file. */
function pathOf(location: string): string | undefined {
  if (!location.startsWith("file://")) return location;
  try {
    return fileURLToPath(location);
  } catch {
    return undefined;
  }
}

function frameFrom(line: string, appRoot: string): Frame | undefined {
  const match = frameForm.exec(line);
  const location = match?.[2];
  if (!match || !location || location.startsWith("node:")) return undefined;
  const path = pathOf(location);
  if (path === undefined) return undefined;
  const file = isAbsolute(path) ? relative(appRoot, path) : path;
  // Outside the app, a dependency, or generated: not the app's own code.
  if (
    file.startsWith("..") ||
    file.includes("node_modules/") ||
    file.startsWith("encore.gen/") ||
    file.startsWith(".encore/")
  )
    return undefined;
  const func = (match[1] ?? "").replace(/^async /, "");
  return { file, func, line: Number(match[3]) };
}

/** Frames of `error` that lie in the app under `appRoot`; empty when there are none. */
export function appFrames(error: Error, appRoot: string): Frame[] {
  const { stack } = error as { stack?: unknown };
  const lines = typeof stack === "string" ? stack.split("\n") : [];
  return lines.map((line) => frameFrom(line, appRoot)).filter((frame) => frame !== undefined);
}
