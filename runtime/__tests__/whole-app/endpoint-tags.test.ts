// The architecture rules read sources by themselves; what they take for an endpoint must be what the parser takes for one.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { loadProject } from "../../../scripts/architecture/project";
import { exposedEndpoints } from "../../../scripts/architecture/rules/endpoint-tags";
import type { AppModel } from "../../model";

const project = loadProject(join(import.meta.dirname, "../../.."));

test("the rule on tags sees every endpoint that the parser sees, with the same tags", () => {
  const { modelFile } = inject("groundworkTestApp");
  const model = JSON.parse(readFileSync(modelFile, "utf8")) as AppModel;
  const parsed = model.services.flatMap(({ endpoints }) =>
    endpoints
      .filter(({ expose }) => expose)
      .map(({ place, exportName, tags }) => ({ file: place.file, name: exportName, tags })),
  );
  const seen = [...project.sources.values()]
    .filter(({ path }) => model.services.some(({ folder }) => path.startsWith(`${folder}/`)))
    .flatMap(exposedEndpoints);
  const byPlace = (a: { file: string; name: string }, b: { file: string; name: string }): number =>
    `${a.file} ${a.name}`.localeCompare(`${b.file} ${b.name}`);
  expect(seen.map(({ file, name, tags }) => ({ file, name, tags })).sort(byPlace)).toEqual(parsed.sort(byPlace));
  expect(parsed.length).toBeGreaterThan(10);
});
