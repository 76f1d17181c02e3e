// A rule that is switched off says why in the same line; otherwise the exception becomes the habit.
import { isTest, type Project, type Rule, type Violation } from "../project";

const SUPPRESSION = /eslint-disable|@ts-(expect-error|ignore|nocheck)/;
const WITH_REASON = /eslint-disable[^\n]*\s--\s\S.{9,}|@ts-expect-error[:\s]+\S.{9,}/;

function check(project: Project): Violation[] {
  const shipped = [...project.sources.values()].filter(
    ({ path }) => !path.startsWith("scripts/architecture/") && !isTest(path),
  );
  return shipped.flatMap((source) =>
    source.text.split("\n").flatMap((text, index) => {
      const comment = text.slice(text.search(/\/[/*]|$/));
      if (!SUPPRESSION.test(comment) || WITH_REASON.test(comment)) return [];
      return [
        {
          rule: "suppressions",
          file: source.path,
          line: index + 1,
          message: "a switched-off rule without its reason: write `-- why` behind it",
        },
      ];
    }),
  );
}

export const suppressions: Rule = {
  name: "suppressions",
  promise: "a switched-off lint or compiler rule says why in the same line",
  check,
};
