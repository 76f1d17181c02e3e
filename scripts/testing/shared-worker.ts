// vitest's processes for the test files of this repository. To start one and to load what a file imports takes longer
// than most files' tests, so files that leave nothing behind run one after the other in the same one; each other file,
// above all one that opens the app's database, has a process of its own.
import { relative, sep } from "node:path";
import type { Plugin } from "vitest/config";
import {
  BaseSequencer,
  ForksPoolWorker,
  type PoolOptions,
  type PoolTask,
  type TestSequencer,
  type TestSpecification,
  type Vitest,
  type WorkerRequest,
} from "vitest/node";
import { sharesProcess, slowSuites } from "./suites";

const poolName = "shared";

const nameOf = (root: string, file: string): string => relative(root, file).replaceAll(sep, "/");

class SharedWorker extends ForksPoolWorker {
  override readonly name = poolName;
  readonly #root: string;
  /** Whether all that ran here so far leaves nothing behind. */
  #isClean = true;

  constructor(options: PoolOptions) {
    super(options);
    this.#root = options.project.config.root;
  }

  #share(files: readonly { filepath: string }[]): boolean {
    return files.every(({ filepath }) => sharesProcess(nameOf(this.#root, filepath)));
  }

  override send(message: WorkerRequest): void {
    if (message.type === "run" || message.type === "collect") this.#isClean &&= this.#share(message.context.files);
    super.send(message);
  }

  canReuse(task: PoolTask): boolean {
    return this.#isClean && this.#share(task.context.files);
  }
}

/**
 * First what has a process of its own, then what shares one: vitest ends a process when the next file cannot use it.
 * In both the slow ones first, or the last minute has one worker: a fresh clone knows the size of a file only.
 */
function ordered(Sequencer: new (vitest: Vitest) => TestSequencer): new (vitest: Vitest) => TestSequencer {
  const rank = (file: string): number => {
    const slow = Sequencer === BaseSequencer ? slowSuites.indexOf(file) : -1; // unless the order is random
    return (sharesProcess(file) ? 1_000 : 0) + (slow < 0 ? slowSuites.length : slow);
  };
  return class extends BaseSequencer {
    override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
      const { root } = this.ctx.config;
      const rankOf = ({ moduleId }: TestSpecification): number => rank(nameOf(root, moduleId));
      return (await new Sequencer(this.ctx).sort(files)).toSorted((a, b) => rankOf(a) - rankOf(b));
    }
  };
}

/** Test files share a process where they may. */
export function sharedProcesses(): Plugin {
  return {
    name: "shared-processes",
    config: () => ({
      test: {
        isolate: false,
        pool: { name: poolName, createPoolWorker: (options: PoolOptions) => new SharedWorker(options) },
      },
    }),
    configureVitest({ vitest, project }) {
      // With one worker vitest asks nobody and gives one process all files; another pool (Stryker's) never asks.
      if (vitest.config.maxWorkers === 1 || project.config.pool !== poolName) project.config.isolate = true;
      const { sequence } = vitest.config;
      sequence.sequencer = ordered(sequence.sequencer);
    },
  };
}
