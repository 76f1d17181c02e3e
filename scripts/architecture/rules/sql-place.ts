// SQL stands in store.ts: whoever asks which statements a service runs reads one file.
import { isTest, type Project, type Rule } from "../project";
import { sqlOf } from "../sql";

/** db/ and runtime/ are about SQL itself; bench/ compares statements. */
const ALLOWED = [/(^|\/)store\.ts$/, /(^|\/)store\/[^/]+\.ts$/, /^db\//, /^runtime\//, /^bench\//];

function check(project: Project) {
  const shipped = [...project.sources.values()].filter(
    ({ path }) => !isTest(path) && !ALLOWED.some((place) => place.test(path)),
  );
  return shipped.flatMap((source) =>
    sqlOf(source).map(({ text, line }) => ({
      rule: "sql-place",
      file: source.path,
      line,
      message: `SQL outside store.ts: "${text.trim().replace(/\s+/g, " ").slice(0, 60)}"; make it a function of the folder's store.ts`,
    })),
  );
}

export const sqlPlace: Rule = {
  name: "sql-place",
  promise: "SQL stands in store.ts, migrations/, db/ and runtime/ only",
  check,
};
