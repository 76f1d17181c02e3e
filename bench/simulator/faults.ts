// How each fault is done to the world. A fault that lasts is over when what was asked for meanwhile has been answered, not
// after some time; only a pause that is to outlast the leases is timed.
import { setTimeout as delay } from "node:timers/promises";
import type { Fault, Ledger } from "./ledger";
import type { FaultKind, Role, Step } from "./plan";
import type { Replica } from "./replica";
import type { World } from "./world";

/** These leave their process without work for a while: the other one of its role must be well. */
const TROUBLING: ReadonlySet<FaultKind> = new Set(["kill", "pause", "long pause", "silence"]);

export class Faults {
  /** Roles of which one process is not well. */
  private readonly troubled = new Map<Role, Promise<void>>();
  private readonly behind = new Set<Promise<void>>();
  private crashing: Promise<void> = Promise.resolve();
  private failure: Error | undefined;

  constructor(
    private readonly world: World,
    private readonly ledger: Ledger,
  ) {}

  /** Resolves with the fault when it is over. `meanwhile` resolves when the fault may end. */
  async inflict(step: Step, meanwhile: () => Promise<void>): Promise<Fault> {
    if (this.failure) throw this.failure;
    if (!TROUBLING.has(step.fault)) return this.strike(step, this.replicaOf(step), meanwhile);
    const replica = await this.wellReplica(step);
    let settle!: () => void;
    this.troubled.set(replica.role, new Promise((resolve) => (settle = resolve)));
    const well = (): void => {
      this.troubled.delete(replica.role);
      settle();
    };
    return this.trouble(step, replica, meanwhile, well);
  }

  /** What goes on behind faults that are over: starts, and long pauses. */
  async settled(): Promise<void> {
    await Promise.all(this.behind);
    if (this.failure) throw this.failure;
  }

  private replicaOf({ targets: [first] }: Step): Replica {
    if (first === undefined) throw new RangeError("a step has no target");
    return this.world.replica(first.role, first.replica);
  }

  private async wellReplica({ targets }: Step): Promise<Replica> {
    for (;;) {
      const target = targets.find(({ role }) => !this.troubled.has(role));
      if (target) return this.world.replica(target.role, target.replica);
      await Promise.race(this.troubled.values());
    }
  }

  private async trouble(
    step: Step,
    replica: Replica,
    meanwhile: () => Promise<void>,
    well: () => void,
  ): Promise<Fault> {
    const fault = this.ledger.begin(step.fault, replica.name);
    if (step.fault === "kill") {
      await replica.kill();
      this.ledger.end(fault);
      this.goOn(replica.start(step.offsetMs, true), well);
    } else if (step.fault === "long pause") {
      replica.signal("SIGSTOP");
      const over = delay(step.pauseMs).then(() => {
        replica.signal("SIGCONT");
        this.ledger.end(fault);
      });
      this.goOn(over, well);
    } else {
      await this.hold(step, replica, meanwhile);
      this.ledger.end(fault);
      well();
    }
    return fault;
  }

  private async hold(step: Step, replica: Replica, meanwhile: () => Promise<void>): Promise<void> {
    const wire = replica.wires[step.server];
    if (step.fault === "pause") replica.signal("SIGSTOP");
    else wire.silence();
    try {
      await meanwhile();
    } finally {
      if (step.fault === "pause") replica.signal("SIGCONT");
      else {
        if (step.endsInCut) wire.cut();
        wire.resume();
      }
    }
  }

  private async strike(step: Step, replica: Replica, meanwhile: () => Promise<void>): Promise<Fault> {
    const isServers = step.fault === "postgres stop" || step.fault === "redis kill" || step.fault === "cut all";
    const fault = this.ledger.begin(step.fault, isServers ? step.server : `${replica.name} ${step.server}`);
    switch (step.fault) {
      case "postgres stop":
        await this.crash("postgres");
        break;
      case "redis kill":
        await this.crash("redis");
        break;
      case "cut all":
        for (const { wires } of this.world.replicas.values()) wires[step.server].cut();
        break;
      case "clock":
        replica.stepClock(step.offsetMs);
        break;
      default:
        replica.wires[step.server].cut();
    }
    this.ledger.end(fault);
    await meanwhile();
    return fault;
  }

  /** One at a time: a script does it. */
  private crash(server: "postgres" | "redis"): Promise<void> {
    const crashed = this.crashing.then(() => this.world.crash(server));
    this.crashing = crashed.catch(() => undefined);
    return crashed;
  }

  private goOn(work: Promise<void>, well: () => void): void {
    const done = work
      .catch((error: Error) => void (this.failure ??= error))
      .finally(() => {
        well();
        this.behind.delete(done);
      });
    this.behind.add(done);
  }
}
