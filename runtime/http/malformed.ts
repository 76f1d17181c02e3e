// Answers to input that is no HTTP request, written by hand because there is no request to answer.
import { STATUS_CODES } from "node:http";
import { Failure } from "./failure";

interface Refusal {
  /** Headers of the gateway, on errors that are its own. */
  cors: readonly string[];
  /** Headers of the edge, on every answer. */
  edge: readonly string[];
  includeInternal: boolean;
}

/** The gateway's headers for requests that node did not parse; set when the host starts. */
let refusal: Refusal = { cors: [], edge: [], includeInternal: false };

export function setRefusalHeaders(next: Refusal): void {
  refusal = next;
}

const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) \S+ HTTP\/1\.[01]\r?$/m;

/** The method of a request that was refused for its method. */
function methodOf(packet: Buffer | undefined): string | undefined {
  return packet && REQUEST_LINE.exec(packet.toString("latin1", 0, 4096).split("\n")[0] ?? "")?.[1];
}

function linesOf(pairs: readonly string[]): string[] {
  const lines: string[] = [];
  for (let i = 0; i < pairs.length; i += 2) lines.push(`${pairs[i]}: ${pairs[i + 1]}`);
  return lines;
}

/** The bytes of an answer that ends the connection. A well-formed request with an unknown method gets the JSON error (H-16). */
export function malformedAnswer(status: number, packet?: Buffer): string {
  const method = methodOf(packet);
  const ours = refusal.edge.filter((_, i) => refusal.edge[i - (i % 2)]?.toLowerCase() !== "cache-control");
  const lines = ["server: Pingora", "cache-control: private, no-store", "connection: close", ...linesOf(ours)];
  let body = "";
  if (method !== undefined) {
    body = new Failure("invalid_argument", "invalid method", `invalid method: ${method}`).body(refusal.includeInternal);
    lines.push(...linesOf(refusal.cors), "content-type: application/json");
  }
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join("\r\n")}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}
