// A name server on this machine, on UDP (RFC 1035 §4): what a resolver really gets, by a function, so that a name can change its mind.
import { createSocket } from "node:dgram";
import { isIPv4 } from "node:net";

/** Records of the kind that was asked for, as their data; `silent` answers nothing, `broken` SERVFAIL, `absent` NXDOMAIN. */
export type Answer = readonly Buffer[] | "silent" | "broken" | "absent";

export interface NameServer {
  /** `address:port`, as `nameServers` takes it. */
  address: string;
  /** Names that were asked for, one for each question. */
  asked: readonly string[];
  close: () => Promise<void>;
}

export const TYPES = { A: 1, TXT: 16, AAAA: 28 } as const;
const HEADER_BYTES = 12;
const CODES = { silent: 0, broken: 2, absent: 3 } as const;

/** @param answer asked for each question anew, by the name in small letters and the number of the type */
export async function startNameServer(answer: (name: string, type: number) => Answer): Promise<NameServer> {
  const socket = createSocket("udp4");
  const asked: string[] = [];
  socket.on("message", (query, from) => {
    const { name, type, end } = questionOf(query);
    asked.push(name);
    const found = answer(name, type);
    if (found !== "silent") socket.send(replyTo(query, { type, end }, found), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    close: () => new Promise((resolve) => socket.close(resolve)),
  };
}

/** The first question, and where it ends. */
function questionOf(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join(".").toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function replyTo(query: Buffer, { type, end }: { type: number; end: number }, found: Answer): Buffer {
  const [records, code] = typeof found === "string" ? [[], CODES[found]] : [found, 0];
  const header = Buffer.alloc(HEADER_BYTES);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8580 | code, 2); // an answer, authoritative, recursion available
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  const named = records.map((data) => {
    const head = Buffer.alloc(12);
    head.writeUInt16BE(0xc00c, 0); // the name of the question
    head.writeUInt16BE(type, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(data.length, 10);
    return Buffer.concat([head, data]);
  });
  return Buffer.concat([header, query.subarray(HEADER_BYTES, end), ...named]);
}

/** Of these addresses those of the type that is asked for. */
export const addressRecords = (addresses: readonly string[], type: number): Buffer[] =>
  addresses.filter((address) => (isIPv4(address) ? TYPES.A : TYPES.AAAA) === type).map(bytesOf);

function bytesOf(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split(".").map(Number));
  const [head = "", tail = ""] = address.split("::");
  const groups = (text: string): string[] => text.split(":").filter((group) => group !== "");
  const zeros = 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array.from({ length: zeros }, () => "0"), ...groups(tail)];
  return Buffer.from(all.map((group) => group.padStart(4, "0")).join(""), "hex");
}

/** A text of more than 255 bytes goes in pieces. */
export function textRecord(text: string): Buffer {
  const bytes = Buffer.from(text);
  const pieces: Buffer[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += 255) {
    const piece = bytes.subarray(at, at + 255);
    pieces.push(Buffer.from([piece.length]), piece);
  }
  return Buffer.concat(pieces);
}
