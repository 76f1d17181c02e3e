// The built-in metrics: requests by endpoint and outcome, and the memory that is in use on the machine.
import { freemem, totalmem } from "node:os";
import type { Sample } from "./index";

export class RequestCounts {
  readonly #counts = new Map<string, Sample>();

  /** `code`: `ok` or the code of the error. */
  count(service: string, endpoint: string, code: string): void {
    const key = `${service}\n${endpoint}\n${code}`;
    const known = this.#counts.get(key);
    if (known) known.value++;
    else this.#counts.set(key, { name: "e_requests_total", labels: [["endpoint", endpoint], ["code", code]], service, type: "Counter", value: 1 });
  }

  samples(): Sample[] {
    return [...this.#counts.values()].map((sample) => ({ ...sample }));
  }
}

export const systemSamples = (): Sample[] => [{ name: "e_sys_memory_used_bytes", labels: [], service: null, type: "Gauge", value: totalmem() - freemem() }];
