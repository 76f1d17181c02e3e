// Prometheus remote write 1.0: samples as a protobuf message in a snappy block, posted. Labels are sorted by name, which receivers insist on.
import protobuf from "protobufjs";
import snappy from "snappyjs";
import type { Sample } from "./index";

/** Fields of prompb's messages that are sent (prometheus/prompb/{remote,types}.proto). */
const messages = protobuf.Root.fromJSON({
  nested: {
    WriteRequest: { fields: { timeseries: { rule: "repeated", type: "TimeSeries", id: 1 } } },
    TimeSeries: {
      fields: {
        labels: { rule: "repeated", type: "Label", id: 1 },
        samples: { rule: "repeated", type: "Sample", id: 2 },
      },
    },
    Label: { fields: { name: { type: "string", id: 1 }, value: { type: "string", id: 2 } } },
    Sample: { fields: { value: { type: "double", id: 1 }, timestamp: { type: "int64", id: 2 } } },
  },
});
const writeRequest = messages.lookupType("WriteRequest");

export type Label = [name: string, value: string];

function seriesOf({ name, labels, service, value }: Sample, common: Label[], timestamp: number): object {
  const all: Label[] = [
    ...common,
    ...(service === null ? [] : [["service", service] satisfies Label]),
    ...labels,
    ["__name__", name],
  ];
  const sorted = all.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return { labels: sorted.map(([label, text]) => ({ name: label, value: text })), samples: [{ value, timestamp }] };
}

/** The body of one request; `atMs` is the time since 1970. */
export function encodeWriteRequest(samples: readonly Sample[], common: Label[], atMs: number): Uint8Array {
  const timeseries = samples.map((sample) => seriesOf(sample, common, atMs));
  return snappy.compress(writeRequest.encode(writeRequest.create({ timeseries })).finish());
}

const timeoutMs = 10_000;

/** @throws Error when the receiver does not take them */
export async function remoteWrite(
  url: string,
  samples: readonly Sample[],
  common: Label[],
  atMs: number,
): Promise<void> {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "Content-Type": "application/x-protobuf",
      "Content-Encoding": "snappy",
      "User-Agent": "encore",
      "X-Prometheus-Remote-Write-Version": "0.1.0",
    },
    body: Buffer.from(encodeWriteRequest(samples, common, atMs)),
    signal: AbortSignal.timeout(timeoutMs),
  });
  const text = await response.text();
  if (!response.ok)
    throw new Error(`Prometheus remote write returned non-success status ${response.status}: ${text.slice(0, 500)}`);
}
