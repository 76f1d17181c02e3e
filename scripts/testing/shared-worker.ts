// vitest's processes for the test files of this repository. To start one and to load what a file imports takes longer
// than most files' tests, so files that leave nothing behind run one after the other in the same one, and so do those
// that open the app's database, which is then theirs together, and those that run relays and workers; those that put other
// modules in the place of real ones share a process, but no module; each other file has a process of its own.
import { relative, sep } from "node:path";
import type { SerializedConfig } from "vitest";
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
import { processGroup, processGroups, slowSuites, type ProcessGroup } from "./suites";

const poolName = "shared";

const nameOf = (root: string, file: string): string => relative(root, file).replaceAll(sep, "/");

class SharedWorker extends ForksPoolWorker {
  override readonly name = poolName;
  readonly #root: string;
  /** Of all that ran here so far. */
  #group: ProcessGroup | undefined;
  /** What the process was started with. */
  #config: SerializedConfig | undefined;

  constructor(options: PoolOptions) {
    super(options);
    this.#root = options.project.config.root;
  }

  #groupOf(files: readonly { filepath: string }[]): ProcessGroup {
    const groups = new Set(files.map(({ filepath }) => processGroup(nameOf(this.#root, filepath))));
    const [group] = groups;
    return groups.size === 1 && group !== undefined ? group : "own";
  }

  override send(message: WorkerRequest): void {
    if (message.type === "start") this.#config = message.context.config;
    if (message.type !== "run" && message.type !== "collect") return super.send(message);
    this.#group = this.#groupOf(message.context.files);
    // As vitest does it where nothing is shared: the process forgets the modules of the file before. What a run is told goes
    // over what the start was.
    const apart = this.#group === "mocking" && this.#config ? { config: { ...this.#config, isolate: true } } : {};
    super.send({ ...message, context: { ...message.context, ...apart } });
  }

  canReuse(task: PoolTask): boolean {
    return this.#group !== "own" && this.#group === this.#groupOf(task.context.files);
  }
}

/**
 * Group by group, for vitest ends a process when the next file cannot use it: first what has a process of its own.
 * In each the slow ones first, or the last minute has one worker: a fresh clone knows the size of a file only.
 */
function ordered(Sequencer: new (vitest: Vitest) => TestSequencer): new (vitest: Vitest) => TestSequencer {
  const rank = (file: string): number => {
    const slow = Sequencer === BaseSequencer ? slowSuites.indexOf(file) : -1; // unless the order is random
    return processGroups.indexOf(processGroup(file)) * 1_000 + (slow < 0 ? slowSuites.length : slow);
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
