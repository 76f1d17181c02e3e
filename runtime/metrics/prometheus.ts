// Samples in Prometheus' text format, for a scrape of the host.
import type { Sample } from "./index";

const escapeLabel = (text: string): string =>
  text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

function lineOf({ name, labels, service, value }: Sample): string {
  const pairs: [string, string][] = service === null ? labels : [["service", service], ...labels];
  const text = pairs.map(([key, label]) => `${key}="${escapeLabel(label)}"`).join(",");
  return `${name}${text ? `{${text}}` : ""} ${value}`;
}

export function prometheusText(samples: readonly Sample[]): string {
  const byName = new Map<string, Sample[]>();
  for (const sample of samples) byName.set(sample.name, [...(byName.get(sample.name) ?? []), sample]);
  const blocks = [...byName].map(([name, group]) =>
    [`# TYPE ${name} ${group[0]?.type === "Gauge" ? "gauge" : "counter"}`, ...group.map(lineOf)].join("\n"),
  );
  return blocks.length > 0 ? blocks.join("\n") + "\n" : "";
}
