// `--sample N`: of each N changes one is tried, the same at every run. A plugin of Stryker: what it refuses counts neither
// as noticed nor as missed.
import { createHash } from "node:crypto";
import { declareFactoryPlugin, PluginKind } from "@stryker-mutator/api/plugin";

const every = Number(process.env.MUTATION_SAMPLE ?? "1");

/** By what is changed and into what, so that a change elsewhere in the file moves no choice. */
function isChosen({ fileName, location: { start, end }, mutatorName, replacement }) {
  const text = `${fileName.split("/").slice(-2).join("/")} ${start.line - end.line} ${start.column} ${mutatorName} ${replacement}`;
  return createHash("sha256").update(text).digest().readUInt32BE() % every === 0;
}

class Sampler {
  init() {
    return Promise.resolve();
  }
  group(mutants) {
    return Promise.resolve([mutants.map(({ id }) => id)]);
  }
  check(mutants) {
    const verdict = (mutant) =>
      isChosen(mutant) ? { status: "passed" } : { status: "compileError", reason: "not in the sample" };
    return Promise.resolve(Object.fromEntries(mutants.map((mutant) => [mutant.id, verdict(mutant)])));
  }
}

const createSampler = () => new Sampler();
createSampler.inject = [];

export const strykerPlugins = [declareFactoryPlugin(PluginKind.Checker, "sampler", createSampler)];
