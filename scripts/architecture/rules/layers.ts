// Arrows point down only. An upward import makes two layers one: neither can be understood or tested alone.
import { isTest, type Project, type Rule, type SourceFile, type Violation } from "../project";
import { HOST_ROOM, layerOf, LAYERS, roomOf, TOOL_ROOMS } from "../rooms";

function complaint(fromFile: string, toFile: string): string | undefined {
  const from = roomOf(fromFile);
  const to = roomOf(toFile);
  if (from === undefined || to === undefined || from === to) return undefined;
  if (TOOL_ROOMS.includes(from)) return undefined;
  if (isTest(toFile)) return `code that ships imports a test: ${toFile}`;
  if (from === HOST_ROOM) return `${HOST_ROOM}/ reads the application and imports nothing of it, but names ${toFile}`;
  if (to === HOST_ROOM) return `nothing of the application imports ${HOST_ROOM}/, but this names ${toFile}`;
  if (TOOL_ROOMS.includes(to)) return `the application imports no tools, but this names ${toFile}`;
  const fromLayer = layerOf(from);
  const toLayer = layerOf(to);
  if (fromLayer === undefined || toLayer === undefined) return undefined;
  if (fromLayer > toLayer) return undefined;
  return `${from} imports ${toFile}, which is not below it (order: ${LAYERS.map((layer) => layer.join(", ")).join(" → ")})`;
}

function checkFile(source: SourceFile): Violation[] {
  const found: Violation[] = [];
  const room = roomOf(source.path);
  if (room !== undefined && layerOf(room) === undefined && room !== HOST_ROOM && !TOOL_ROOMS.includes(room)) {
    found.push({
      rule: "layers",
      file: source.path,
      line: 1,
      message: `the folder ${room}/ has no layer: give it one in scripts/architecture/rooms.ts`,
    });
  }
  for (const { target, line } of source.imports) {
    const message = target === undefined ? undefined : complaint(source.path, target);
    if (message !== undefined) found.push({ rule: "layers", file: source.path, line, message });
  }
  return found;
}

export const layers: Rule = {
  name: "layers",
  promise: "imports go down the layers only, and nothing of the application imports runtime/ or is imported by it",
  check: (project: Project) =>
    [...project.sources.values()].filter((source) => !isTest(source.path)).flatMap(checkFile),
};
