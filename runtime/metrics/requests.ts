// The built-in metrics: requests by endpoint and outcome, and the memory that is in use on the machine.
import { freemem, totalmem } from "node:os";
import type { Sample } from "./index";

export class RequestCounts {
  /** By service, endpoint and code: three lookups of names cost less than making one of them all. */
  readonly #counts = new Map<string, Map<string, Map<string, Sample>>>();

  /** `code`: `ok` or the code of the error. */
  count(service: string, endpoint: string, code: string): void {
    const known = this.#counts.get(service)?.get(endpoint)?.get(code);
    if (known) known.value++;
    else this.#add(service, endpoint, code);
  }

  samples(): Sample[] {
    const all = [...this.#counts.values()].flatMap((endpoints) =>
      [...endpoints.values()].flatMap((codes) => [...codes.values()]),
    );
    return all.map((sample) => ({ ...sample }));
  }

  #add(service: string, endpoint: string, code: string): void {
    const endpoints = this.#counts.get(service) ?? new Map<string, Map<string, Sample>>();
    this.#counts.set(service, endpoints);
    const codes = endpoints.get(endpoint) ?? new Map<string, Sample>();
    endpoints.set(endpoint, codes);
    codes.set(code, {
      name: "e_requests_total",
      labels: [
        ["endpoint", endpoint],
        ["code", code],
      ],
      service,
      type: "Counter",
      value: 1,
    });
  }
}

export const systemSamples = (): Sample[] => [
  { name: "e_sys_memory_used_bytes", labels: [], service: null, type: "Gauge", value: totalmem() - freemem() },
];
