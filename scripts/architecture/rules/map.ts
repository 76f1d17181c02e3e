// The README's map is the house as it is: every room, every arrow, arrows down only. An arrow counts as drawn
// when a path of drawn arrows says it, so the picture shows the fewest arrows that tell the whole.
import type { Project, Rule, Violation } from "../project";
import { parseMermaid, reachable, roomGraph, type RoomGraph } from "../room-graph";

function compareRooms(drawn: RoomGraph, real: RoomGraph): string[] {
  return [
    ...real.rooms.filter((room) => !drawn.rooms.includes(room)).map((room) => `the room ${room} is not on the map`),
    ...drawn.rooms
      .filter((room) => !real.rooms.includes(room))
      .map((room) => `the map shows ${room}, which holds no sources`),
  ];
}

function compareArrows(drawn: RoomGraph, real: RoomGraph): string[] {
  const found: string[] = [];
  for (const [from, targets] of real.arrows) {
    const said = reachable(drawn.arrows, from);
    for (const to of targets) if (!said.has(to)) found.push(`${from} imports ${to}, and the map does not say so`);
  }
  for (const [from, targets] of drawn.arrows) {
    for (const to of targets) {
      if (!real.arrows.get(from)?.has(to)) found.push(`the map draws ${from} → ${to}, and no import does that`);
      if (drawn.rooms.indexOf(to) <= drawn.rooms.indexOf(from))
        found.push(`the map's arrow ${from} → ${to} points upwards`);
    }
  }
  return found;
}

function check(project: Project): Violation[] {
  const readme = project.read("README.md");
  if (readme === undefined) return [];
  const drawn = parseMermaid(readme);
  if (drawn === undefined)
    return [
      {
        rule: "map",
        file: "README.md",
        line: 1,
        message: "has no map: put a mermaid block with `flowchart TD` into it and run `npm run gen`",
      },
    ];
  const real = roomGraph(project);
  return [...compareRooms(drawn, real), ...compareArrows(drawn, real)].map((message) => ({
    rule: "map",
    file: "README.md",
    line: 1,
    message: `${message} (npm run gen draws it anew)`,
  }));
}

export const map: Rule = {
  name: "map",
  promise: "the README's map shows the rooms and arrows as they are, arrows down only",
  check,
};
