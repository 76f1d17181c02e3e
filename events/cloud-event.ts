// A domain event as a CloudEvent 1.0, for whoever takes events outside of the app: in the structured mode (one JSON document) and
// in the binary mode of HTTP (attributes as headers, the payload as body). The mapping stands in the README.
// Source: CNCF CloudEvents 1.0.2, its HTTP protocol binding (3.1.3.2, header values), and the extensions "Partitioning" and
// "Distributed Tracing".
import type { DomainEvent } from "./topic";

/** Attributes by their CloudEvents names; those without a value are absent. `data` is the payload. */
export interface CloudEvent {
  readonly specversion: "1.0";
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly datacontenttype: "application/json";
  readonly data: unknown;
  readonly [extension: string]: unknown;
}

export const STRUCTURED_CONTENT_TYPE = "application/cloudevents+json; charset=utf-8";

/** Headers of an event that go along, by their names among CloudEvents: lower case letters and digits only. */
const EXTENSIONS: Readonly<Record<string, string>> = {
  traceparent: "traceparent",
  tracestate: "tracestate",
  actor: "actor",
  "correlation-id": "correlationid",
  "causation-id": "causationid",
};

/** `source` is a URI reference of the app; with `id` it names the event, the same on every delivery. */
export function toCloudEvent(message: DomainEvent, source: string): CloudEvent {
  const { id, tenantId, type, version, aggregateType, aggregateId, payload, headers, occurredAt } = message;
  const carried = Object.entries(EXTENSIONS).flatMap(([header, name]) =>
    headers[header] === undefined ? [] : [[name, headers[header]] as const],
  );
  return {
    specversion: "1.0",
    id,
    source,
    type: `${type}.v${version}`,
    subject: `${aggregateType}/${aggregateId}`,
    time: occurredAt,
    datacontenttype: "application/json",
    partitionkey: aggregateId,
    ...(tenantId === null ? {} : { tenantid: tenantId }),
    ...Object.fromEntries(carried),
    data: payload,
  };
}

/** The binary mode of HTTP. Header values are percent-encoded where they are not plain printable ASCII. */
export function toBinaryHttp(event: CloudEvent): { headers: Record<string, string>; body: string } {
  const { data, datacontenttype, ...attributes } = event;
  const headers = Object.entries(attributes).map(([name, value]) => [`ce-${name}`, headerValue(String(value))]);
  return {
    headers: { ...(Object.fromEntries(headers) as Record<string, string>), "content-type": datacontenttype },
    body: JSON.stringify(data),
  };
}

/** Everything but printable ASCII, and the blank, the double quote and the percent sign, as %XX of its UTF-8. */
function headerValue(text: string): string {
  const bytes = [...Buffer.from(text)];
  const isPlain = (byte: number): boolean => byte > 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x25;
  return bytes
    .map((byte) => (isPlain(byte) ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`))
    .join("");
}
