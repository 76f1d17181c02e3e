// A name server on this machine that answers for texts over UDP, as RFC 1035 says: what a resolver really gets.
import { createSocket } from "node:dgram";

/** The texts of a name; `silent` answers nothing, `broken` SERVFAIL. A name that is not there is NXDOMAIN. */
export type Zone = Map<string, string[] | "silent" | "broken">;

export interface NameServer {
  address: string;
  zone: Zone;
  /** Questions it got. */
  asked: () => number;
  close: () => Promise<void>;
}

const HEADER = 12;
const TXT = 16;
const [NOERROR, SERVFAIL, NXDOMAIN] = [0, 2, 3];

export async function startNameServer(): Promise<NameServer> {
  const zone: Zone = new Map();
  const socket = createSocket("udp4");
  let asked = 0;
  socket.on("message", (question, { port, address }) => {
    asked++;
    const reply = answer(question, zone);
    if (reply !== undefined) socket.send(reply, port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const { port } = socket.address();
  return {
    address: `127.0.0.1:${port}`,
    zone,
    asked: () => asked,
    close: () => new Promise((resolve) => socket.close(resolve)),
  };
}

function answer(question: Buffer, zone: Zone): Buffer | undefined {
  const { name, end } = nameIn(question);
  const found = zone.get(name) ?? [];
  if (found === "silent") return undefined;
  const texts = found === "broken" ? [] : found;
  const code = found === "broken" ? SERVFAIL : zone.has(name) ? NOERROR : NXDOMAIN;
  const header = Buffer.alloc(HEADER);
  question.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8580 | code, 2); // an answer, authoritative, recursion available
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(texts.length, 6);
  return Buffer.concat([header, question.subarray(HEADER, end + 4), ...texts.map(recordOf)]);
}

/** The name of the first question, in lower case, and where its labels end. */
function nameIn(question: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = HEADER;
  for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
    labels.push(question.subarray(at + 1, at + 1 + length).toString("latin1"));
    at += length + 1;
  }
  return { name: labels.join(".").toLowerCase(), end: at + 1 };
}

/** A text of more than 255 bytes goes in pieces. */
function recordOf(text: string): Buffer {
  const bytes = Buffer.from(text);
  const pieces: Buffer[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += 255) {
    const piece = bytes.subarray(at, at + 255);
    pieces.push(Buffer.from([piece.length]), piece);
  }
  const data = Buffer.concat(pieces);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0); // the name of the question
  head.writeUInt16BE(TXT, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(60, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}
