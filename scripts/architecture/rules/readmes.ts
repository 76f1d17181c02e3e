// A newcomer finds the same six answers in every service's README, and a README in every library.
import { isTest, type Project, type Rule, type Violation } from "../project";

export const SERVICE_HEADINGS = [
  "Owns",
  "Endpoints",
  "Events in and out",
  "Invariants",
  "Failure modes",
  "How to test",
];
const LIBRARIES = ["config", "security", "db", "runtime"];

function headingsOf(markdown: string): Set<string> {
  return new Set(
    [...markdown.matchAll(/^#{1,4}[ \t](.+)$/gm)].map(([, heading]) => (heading ?? "").trim().toLowerCase()),
  );
}

function checkService(project: Project, folder: string): Violation[] {
  const file = `${folder}/README.md`;
  const text = project.read(file);
  const report = (message: string): Violation => ({ rule: "readmes", file, line: 1, message });
  if (text === undefined) return [report(`the service ${folder} has no README.md`)];
  const headings = headingsOf(text);
  const missing = SERVICE_HEADINGS.filter((heading) => !headings.has(heading.toLowerCase()));
  return missing.length === 0 ? [] : [report(`headings missing: ${missing.join(" · ")}`)];
}

function check(project: Project): Violation[] {
  const services = project.files
    .filter((file) => file.endsWith("/encore.service.ts") && !isTest(file))
    .map((file) => file.slice(0, -"/encore.service.ts".length));
  const libraries = LIBRARIES.filter((folder) =>
    project.files.some((file) => file.startsWith(`${folder}/`) && file.endsWith(".ts")),
  );
  const silent = libraries.filter((folder) => project.read(`${folder}/README.md`) === undefined);
  return [
    ...services.flatMap((folder) => checkService(project, folder)),
    ...silent.map((folder) => ({
      rule: "readmes",
      file: `${folder}/README.md`,
      line: 1,
      message: `the library ${folder} has no README.md`,
    })),
  ];
}

export const readmes: Rule = {
  name: "readmes",
  promise: "every service's README has the six headings, every library has a README",
  check,
};
