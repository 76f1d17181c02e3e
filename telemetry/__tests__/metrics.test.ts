import { describe, expect, test } from "vitest";
import { cacheHitsTotal, cacheMissesTotal, errorsTotal, httpSeries, observeGauge, renderPrometheus } from "../metrics";

describe("/metrics", () => {
  test("has the names and labels that docs/requirements.md asks for (C13)", async () => {
    httpSeries("GET", "vectors.search").record(200, 0.004);
    httpSeries("GET", "vectors.search").record(429, 0.0005);
    httpSeries("GET", "vectors.search").record(200, 60);
    cacheHitsTotal.add(2, { cache: "keys" });
    cacheMissesTotal.add(1, { cache: "keys" });
    errorsTotal.add(1, { type: "rate_limited" });
    const remove = observeGauge("db_pool_active_connections", () => 3);
    const text = await renderPrometheus();
    remove();
    expect(text).toContain('http_requests_total{method="GET",route="vectors.search",status="200"} 2');
    expect(text).toContain('http_requests_total{method="GET",route="vectors.search",status="429"} 1');
    expect(text).toContain('http_request_duration_seconds_bucket{method="GET",route="vectors.search",le="0.001"} 1');
    expect(text).toContain('http_request_duration_seconds_bucket{method="GET",route="vectors.search",le="0.005"} 2');
    expect(text).toContain('http_request_duration_seconds_bucket{method="GET",route="vectors.search",le="10"} 2');
    expect(text).toContain('http_request_duration_seconds_bucket{method="GET",route="vectors.search",le="+Inf"} 3');
    expect(text).toContain('http_request_duration_seconds_count{method="GET",route="vectors.search"} 3');
    expect(text).toContain('http_request_duration_seconds_sum{method="GET",route="vectors.search"} 60.0045');
    expect(text).toContain('cache_hits_total{cache="keys"} 2');
    expect(text).toContain('cache_misses_total{cache="keys"} 1');
    expect(text).toContain('errors_total{type="rate_limited"} 1');
    expect(text).toContain("db_pool_active_connections 3");
    expect(text).toMatch(/process_resident_memory_bytes \d+/);
    expect(text).toMatch(/nodejs_eventloop_lag_p99_seconds [\d.]+/);
  });

  test("is text that a Prometheus scraper takes: every line a comment or a sample", async () => {
    const lines = (await renderPrometheus()).split("\n").filter((line) => line !== "");
    const sample = /^[a-z_][a-z0-9_]*(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? (-?[\d.]+(e[+-]?\d+)?|[+-]Inf|NaN)$/i;
    expect(lines.filter((line) => !/^# (HELP|TYPE|UNIT) /.test(line) && !sample.test(line))).toEqual([]);
  });

  test("leaves out a gauge whose source fails, and nothing else", async () => {
    const removers = [
      observeGauge("outbox_depth", () => Promise.reject(new Error("database away"))),
      observeGauge("queue_depth", () => [{ value: 4, labels: { queue: "q", state: "waiting" } }]),
    ];
    const text = await renderPrometheus();
    for (const remove of removers) remove();
    expect(text).not.toMatch(/^outbox_depth /m);
    expect(text).toContain('queue_depth{queue="q",state="waiting"} 4');
  });

  test("leaves out a gauge whose source hangs, and waits for it no longer than a scraper does", async () => {
    const startedAt = performance.now();
    const removers = [
      observeGauge("dead_letters", () => new Promise(() => undefined)),
      observeGauge("dead_letters", () => [{ value: 2, labels: { source: "events" } }]),
      observeGauge("outbox_depth", () => 5),
    ];
    const text = await renderPrometheus();
    for (const remove of removers) remove();
    expect(performance.now() - startedAt).toBeLessThan(8_000);
    expect(text).toContain('dead_letters{source="events"} 2');
    expect(text).toContain("outbox_depth 5");
  });
});
