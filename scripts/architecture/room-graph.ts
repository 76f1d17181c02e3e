// The rooms and the arrows between them as the imports really are, and the picture of them in Mermaid.
import { isTest, type Project } from "./project";
import { layerOf, roomOf } from "./rooms";

export interface RoomGraph {
  rooms: string[];
  /** From room to the rooms it imports. */
  arrows: Map<string, Set<string>>;
}

/** Rooms drawn as one: all business services stand on the same floor. */
function drawn(path: string): string | undefined {
  const room = roomOf(path);
  return room?.startsWith("services/") ? "services/*" : room;
}

/** Measures the rooms that hold shipped sources and the imports between them, types included. */
export function roomGraph(project: Project): RoomGraph {
  const arrows = new Map<string, Set<string>>();
  for (const source of project.sources.values()) {
    const from = drawn(source.path);
    if (from === undefined || isTest(source.path)) continue;
    const targets = arrows.get(from) ?? new Set<string>();
    arrows.set(from, targets);
    for (const { target } of source.imports) {
      const to = target === undefined ? undefined : drawn(target);
      if (to !== undefined && to !== from && target !== undefined && !isTest(target)) targets.add(to);
    }
  }
  const height = (room: string): number => layerOf(room) ?? 100;
  return { rooms: [...arrows.keys()].sort((a, b) => height(b) - height(a) || a.localeCompare(b)), arrows };
}

/** Everything a room reaches by one arrow or more. */
export function reachable(arrows: Map<string, Set<string>>, from: string): Set<string> {
  const seen = new Set<string>();
  const waiting = [...(arrows.get(from) ?? [])];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    waiting.push(...(arrows.get(next) ?? []));
  }
  return seen;
}

/** The arrows that no path of other arrows already says: the picture without them would lose something. */
export function withoutImplied({ rooms, arrows }: RoomGraph): Map<string, Set<string>> {
  const kept = new Map<string, Set<string>>();
  for (const from of rooms) {
    const direct = [...(arrows.get(from) ?? [])];
    kept.set(
      from,
      new Set(direct.filter((to) => !direct.some((other) => other !== to && reachable(arrows, other).has(to)))),
    );
  }
  return kept;
}

const idOf = (room: string): string => room.replace(/\W+/g, "_").replace(/_$/, "");

/** The map as the README shows it. */
export function toMermaid(graph: RoomGraph): string {
  const reduced = withoutImplied(graph);
  const nodes = graph.rooms.map((room) => `  ${idOf(room)}["${room}"]`);
  const edges = graph.rooms.flatMap((from) =>
    [...(reduced.get(from) ?? [])].sort().map((to) => `  ${idOf(from)} --> ${idOf(to)}`),
  );
  return ["flowchart TD", ...nodes, ...edges].join("\n");
}

/** Reads the map back from the README: its first Mermaid flowchart. Undefined when there is none. */
export function parseMermaid(markdown: string): RoomGraph | undefined {
  const block = /```mermaid\s*\n(flowchart TD[\s\S]*?)```/.exec(markdown)?.[1];
  if (block === undefined) return undefined;
  const names = new Map([...block.matchAll(/^[ \t]*(\w+)\["([^"]+)"\]/gm)].map(([, id, label]) => [id, label ?? ""]));
  const arrows = new Map<string, Set<string>>();
  for (const [, from, to] of block.matchAll(/^[ \t]*(\w+) --> (\w+)[ \t]*$/gm)) {
    const source = names.get(from) ?? `(undeclared ${from})`;
    arrows.set(source, (arrows.get(source) ?? new Set()).add(names.get(to) ?? `(undeclared ${to})`));
  }
  return { rooms: [...names.values()], arrows };
}
