// What stands in deploy/ is held to the app: paths of probes, names of variables, metrics, files that are mounted.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { parseConfig } from "../../config/schema";

const folder = join(import.meta.dirname, "..");
const root = join(folder, "..");
const read = (file: string): string => readFileSync(join(folder, file), "utf8");
const yaml = <T>(file: string): T => parse(read(file), { merge: true }) as T;

interface Service {
  image: string;
  command?: string[];
  environment?: Record<string, string>;
  volumes?: string[];
  read_only?: boolean;
  healthcheck?: { test: string[] };
  cap_drop?: string[];
  depends_on?: unknown;
  networks?: Record<string, { ipv4_address?: string }> | string[];
}
const compose = yaml<{ services: Record<string, Service>; volumes: Record<string, unknown> }>("compose.yaml");
const dockerfile = read("Dockerfile");
const probes = readFileSync(join(root, "telemetry", "api.ts"), "utf8");
const operations = readFileSync(join(root, "runtime", "commands", "operate.ts"), "utf8");

const filled: Record<string, string> = {
  DOMAIN: "api.example.com",
  MASTER_KEY: "k".repeat(44),
  POSTGRES_PASSWORD: "p",
  APP_PASSWORD: "a",
  GRAFANA_PASSWORD: "g",
  MAIL_URL: "smtps://u:p@mail.example.com",
  MAIL_FROM: "Product <mail@example.com>",
  VERSION: "0.1.0",
};

/** As compose substitutes. */
const substituted = (text: string): string =>
  text.replaceAll(/\$\{(\w+)(?::[-?][^}]*)?\}/g, (_, name: string) => filled[name] ?? `missing ${name}`);

const environmentOf = (name: string): Record<string, string> =>
  Object.fromEntries(
    Object.entries(compose.services[name]?.environment ?? {}).map(([key, value]) => [key, substituted(value)]),
  );

describe("one server", () => {
  test("its example of variables names each that the compose file asks for, and no other", () => {
    const asked = [...read("compose.yaml").matchAll(/\$\{(\w+)/g)].map(([, name]) => name);
    const named = [...read("production.env.example").matchAll(/^(\w+)=/gm)].map(([, name]) => name);
    expect([...new Set(asked)].filter((name) => name !== "REVISION").sort()).toEqual(named.sort());
  });

  test("what the app is given is a configuration that it takes in production", () => {
    const cfg = parseConfig(environmentOf("app"));
    expect(cfg.env).toBe("production");
    expect(JSON.stringify(cfg)).toContain("mail.example.com");
    const usage = readFileSync(join(root, "runtime", "commands", "index.ts"), "utf8");
    const schema = readFileSync(join(root, "config", "schema.ts"), "utf8");
    const isKnown = (name: string): boolean =>
      name === "MasterKey" || usage.includes(name) || new RegExp(`^  ${name}: `, "m").test(schema);
    expect(Object.keys(environmentOf("app")).filter((name) => !isKnown(name))).toEqual([]);
  });

  test("the proxy that the app trusts is the one that stands in front, and it lets nobody at the metrics", () => {
    const { networks } = compose.services.proxy ?? {};
    const address = Array.isArray(networks) ? undefined : networks?.inside?.ipv4_address;
    expect(environmentOf("app").TRUSTED_PROXIES).toBe(`${address ?? ""}/32`);
    expect(read("Caddyfile")).toMatch(/@inside path \/metrics[\s\S]*respond @inside 404/);
    const [, probe = ""] = /health_uri (\S+)/.exec(read("Caddyfile")) ?? [];
    expect(probes).toContain(`path: "${probe}"`);
  });

  test("the app has its own login, and what migrates has the operator's and is done before", () => {
    expect(new URL(environmentOf("app").DATABASE_URL ?? "").username).toBe("app");
    expect(new URL(environmentOf("migrate").DATABASE_URL ?? "").username).toBe("postgres");
    expect(compose.services.app?.depends_on).toMatchObject({
      migrate: { condition: "service_completed_successfully" },
    });
    const [, , word = ""] = compose.services.migrate?.command ?? [];
    expect(operations).toMatch(new RegExp(`^  ${word}: `, "m"));
  });

  test("the app's containers write to no root and have no capability", () => {
    for (const name of ["app", "migrate"])
      expect(compose.services[name]).toMatchObject({ read_only: true, cap_drop: ["ALL"] });
  });

  test("the app is asked for its health by Node, at a path that it has", () => {
    const asks = (compose.services.app?.healthcheck?.test ?? []).map(substituted);
    expect(asks.slice(0, 2)).toEqual(["CMD", "node"]);
    const [, port = "", path = ""] = /127\.0\.0\.1:(\d+)(\/\w+)/.exec(asks.join(" ")) ?? [];
    expect(port).toBe(environmentOf("app").PORT);
    expect(probes).toContain(`path: "${path}"`);
  });

  test("every file that is mounted is there, and every volume is declared", () => {
    const sources = Object.values(compose.services)
      .flatMap(({ volumes = [] }) => volumes)
      .map((volume) => volume.split(":")[0] ?? "");
    const missing = sources.filter((source) =>
      source.startsWith(".") ? !existsSync(join(folder, source)) : !(source in compose.volumes),
    );
    expect(missing).toEqual([]);
  });
});

describe("the image", () => {
  test("runs as nobody special, and leaves the question of its health to whoever runs it", () => {
    const stages = dockerfile.split(/^FROM /m);
    const last = stages.at(-1) ?? "";
    expect(last).toMatch(/^USER node$/m);
    expect(last.indexOf("USER node")).toBeLessThan(last.indexOf("CMD"));
    expect(last).not.toMatch(/\b(?:curl|wget|apt-get)\b|^HEALTHCHECK/m);
  });

  test("is built by commands that there are, and without what must stay at home", () => {
    const ignored = read("Dockerfile.dockerignore").split("\n");
    for (const secret of ["**/.groundwork", "**/.env*", "**/.git", "**/node_modules"])
      expect(ignored).toContain(secret);
    for (const [, word = ""] of dockerfile.matchAll(/host\/start\.js ([a-z]+)/g))
      expect({ word, isThere: new RegExp(`^  ${word}: `, "m").test(operations) }).toEqual({ word, isThere: true });
  });
});

describe("what is watched", () => {
  const metrics = ["metrics.ts", "http-metrics.ts", "process-metrics.ts"]
    .map((file) => readFileSync(join(root, "telemetry", file), "utf8"))
    .join("\n");
  interface Rules {
    groups: { rules: { record?: string; expr: string }[] }[];
  }
  const rules = yaml<Rules>("prometheus/burn-rate.yaml").groups.flatMap((group) => group.rules);
  const recorded = new Set(rules.flatMap(({ record }) => record ?? []));

  /** Names of metrics in an expression of PromQL: not its functions, words, labels or durations. */
  function namesIn(expression: string): string[] {
    const bare = expression
      .replaceAll(/\{[^{}]{0,200}\}|\[[^[\]]{0,20}\]/g, "")
      .replaceAll(/\b(?:by|on|without)\s?\([^()]{0,100}\)/g, "");
    return [...bare.matchAll(/[a-zA-Z_][\w:]*/g)]
      .map(([name]) => name)
      .filter((name) => /[_:]/.test(name) && name !== "histogram_quantile");
  }
  const isReported = (name: string): boolean => {
    const plain = name.replace(/_bucket$/, "");
    return recorded.has(name) || metrics.includes(`"${plain}"`) || new RegExp(`^\\s+${plain}: `, "m").test(metrics);
  };

  test.each(readdirSync(join(folder, "grafana", "dashboards")))("%s asks for metrics that the app reports", (file) => {
    const board = JSON.parse(read(`grafana/dashboards/${file}`)) as { panels: { targets: { expr: string }[] }[] };
    const names = board.panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => namesIn(expr)));
    expect(names.length).toBeGreaterThan(15);
    expect(names.filter((name) => !isReported(name))).toEqual([]);
  });

  test("so do the alerts by error budget", () => {
    const names = rules.flatMap(({ expr }) => namesIn(expr));
    expect(names).toContain("http_requests_total");
    expect(names.filter((name) => !isReported(name))).toEqual([]);
  });

  test("Prometheus asks where the app answers, and loads the rules that are mounted", () => {
    interface Scrape {
      rule_files: string[];
      scrape_configs: { metrics_path: string; dns_sd_configs: { names: string[]; port: number }[] }[];
    }
    const { rule_files: files, scrape_configs: jobs } = yaml<Scrape>("prometheus/prometheus.yaml");
    const mounted = (compose.services.prometheus?.volumes ?? []).map((volume) => volume.split(":")[1]);
    expect(files.filter((file) => !mounted.includes(file))).toEqual([]);
    const [where] = jobs[0]?.dns_sd_configs ?? [];
    expect(where).toMatchObject({ names: ["app"], port: Number(environmentOf("app").PORT) });
    expect(probes).toContain(`path: "${jobs[0]?.metrics_path ?? ""}"`);
  });

  test("the collector has a pipeline for what the app sends, at the port that it sends to", () => {
    interface Collector {
      receivers: { otlp: { protocols: { http: { endpoint: string } } } };
      service: { pipelines: Record<string, { receivers: string[]; exporters: string[] }> };
    }
    const collector = yaml<Collector>("collector/collector.yaml");
    expect(Object.keys(collector.service.pipelines)).toEqual(["traces", "metrics"]);
    expect(environmentOf("app").OTEL_EXPORTER_OTLP_ENDPOINT).toMatch(
      new RegExp(`:${collector.receivers.otlp.protocols.http.endpoint.split(":").at(-1) ?? ""}$`),
    );
  });
});
