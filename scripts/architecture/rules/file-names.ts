// Files are kebab-case nouns, so that nobody has to remember how a name is written; names that say nothing
// about their content collect everything, so they are refused.
import type { Project, Rule } from "../project";

const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$/;
const EMPTY_NAMES = /^(utils?|helpers?|common|misc|manager|shared)(\.|$)/;
const CHECKED = /\.(ts|mts|mjs|css|html)$/;
const FOLDERS_OF_CONVENTION = new Set(["__tests__", "__arch_probes__"]);

function complaint(path: string): string | undefined {
  const parts = path.split("/");
  const name = parts.pop() ?? "";
  const folder = parts.find((part) => !KEBAB.test(part) && !FOLDERS_OF_CONVENTION.has(part));
  if (folder !== undefined) return `the folder ${folder} is not kebab-case`;
  if (!KEBAB.test(name)) return `the file name ${name} is not kebab-case`;
  const empty = [...parts, name].find((part) => EMPTY_NAMES.test(part));
  return empty === undefined ? undefined : `the name ${empty} does not say what is inside`;
}

function check(project: Project) {
  return project.files
    .filter((path) => CHECKED.test(path))
    .flatMap((path) => {
      const message = complaint(path);
      return message === undefined ? [] : [{ rule: "file-names", file: path, line: 1, message }];
    });
}

export const fileNames: Rule = {
  name: "file-names",
  promise: "files and folders are kebab-case and say what is inside",
  check,
};
