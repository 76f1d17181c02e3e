// `npm run arch`: prints what breaks the architecture and fails.
import { loadProject } from "./project";
import { checkProject, formatViolation, rules } from "./rules";

const project = loadProject(process.cwd());
const violations = checkProject(project);
for (const violation of violations) console.log(formatViolation(violation));
console.log(`${rules.length} rules over ${project.sources.size} sources: ${violations.length} violations`);
process.exitCode = violations.length === 0 ? 0 : 1;
