// Saturation of this process: memory, CPU, event loop. Names as Prometheus client libraries give them.
import type { Meter } from "@opentelemetry/api";
import { monitorEventLoopDelay } from "node:perf_hooks";

/** Adds the process's own gauges to `meter`; read only when metrics are collected. */
export function observeProcess(meter: Meter): void {
  meter
    .createObservableCounter("process_cpu_seconds_total", {
      description: "CPU time used by this process, user and system",
    })
    .addCallback((result) => {
      const { user, system } = process.cpuUsage();
      result.observe((user + system) / 1e6);
    });
  meter
    .createObservableGauge("process_resident_memory_bytes", { description: "Resident memory of this process" })
    .addCallback((result) => result.observe(process.memoryUsage.rss()));
  meter
    .createObservableGauge("nodejs_heap_size_used_bytes", { description: "JavaScript heap in use" })
    .addCallback((result) => result.observe(process.memoryUsage().heapUsed));
  observeEventLoop(meter);
}

function observeEventLoop(meter: Meter): void {
  let delay: ReturnType<typeof monitorEventLoopDelay> | undefined;
  meter
    .createObservableGauge("nodejs_eventloop_lag_p99_seconds", {
      description: "99th percentile of the event loop's delay since the last collection",
    })
    .addCallback((result) => {
      // Sampling costs timer wake-ups, so it begins with the first collection: a process nobody scrapes stays idle.
      delay ??= startMonitor();
      const p99 = delay.percentile(99) / 1e9;
      result.observe(Number.isFinite(p99) ? p99 : 0);
      delay.reset();
    });
}

function startMonitor(): ReturnType<typeof monitorEventLoopDelay> {
  const monitor = monitorEventLoopDelay({ resolution: 20 });
  monitor.enable();
  return monitor;
}
