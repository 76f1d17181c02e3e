// `npm run arch`: prints what breaks the architecture and fails. `npm run arch -- --map` prints the map
// for the README as the imports are now.
import { loadProject } from "./project";
import { toMermaid, roomGraph } from "./room-graph";
import { checkProject, formatViolation, rules } from "./rules";

const project = loadProject(process.cwd());

if (process.argv.includes("--map")) {
  console.log(toMermaid(roomGraph(project)));
} else {
  const violations = checkProject(project);
  for (const violation of violations) console.log(formatViolation(violation));
  console.log(`${rules.length} rules over ${project.sources.size} sources: ${violations.length} violations`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
