// What the documents name exists: relative links lead somewhere, `npm run …` is a script. A newcomer follows
// the documents literally.
import { posix } from "node:path";
import type { Project, Rule, Violation } from "../project";

const LINK = /\]\((?!\w+:|#)([^)#\s]+)(?:#[^)]*)?\)/g;
const SCRIPT = /`[^`\n]*\bnpm run (?:--silent |-s )?([\w:-]+)/g;

interface Mention {
  name: string;
  line: number;
}

function mentions(text: string, pattern: RegExp): Mention[] {
  return text
    .split("\n")
    .flatMap((content, index) =>
      [...content.matchAll(pattern)].map(([, name]) => ({ name: name ?? "", line: index + 1 })),
    );
}

function scriptsOf(project: Project): Set<string> {
  const manifest = JSON.parse(project.read("package.json") ?? "{}") as { scripts?: Record<string, string> };
  return new Set(Object.keys(manifest.scripts ?? {}));
}

function checkDocument(project: Project, file: string, scripts: Set<string>): Violation[] {
  const text = project.read(file) ?? "";
  const dead = mentions(text, LINK)
    .filter(
      ({ name }) =>
        project.read(posix.join(posix.dirname(file), name)) === undefined &&
        !project.files.some((other) => other.startsWith(posix.join(posix.dirname(file), name, "/"))),
    )
    .map(({ name, line }) => ({ rule: "documents", file, line, message: `links to ${name}, which is not there` }));
  const unknown = mentions(text, SCRIPT)
    .filter(({ name }) => !scripts.has(name))
    .map(({ name, line }) => ({
      rule: "documents",
      file,
      line,
      message: `names npm run ${name}, which package.json does not have`,
    }));
  return [...dead, ...unknown];
}

function check(project: Project): Violation[] {
  const scripts = scriptsOf(project);
  return project.files.filter((file) => file.endsWith(".md")).flatMap((file) => checkDocument(project, file, scripts));
}

export const documents: Rule = {
  name: "documents",
  promise: "links in documents lead somewhere and the scripts they name exist",
  check,
};
