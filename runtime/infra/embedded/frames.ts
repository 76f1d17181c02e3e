// Postgres wire protocol 3, as far as the embedded server needs it: cutting a byte stream into messages,
// reading the few fields that decide who may run when, and writing the messages that the server itself sends.
// Source: PostgreSQL documentation, chapter "Frontend/Backend Protocol", "Message Formats".

export const protocolVersion3 = 196608;
export const sslRequestCode = 80877103;
export const gssRequestCode = 80877104;
export const cancelRequestCode = 80877102;

/** Longest client message that is taken; a longer one is an error of the client, not a reason to buffer. */
const maxMessageBytes = 256 * 1024 * 1024;

/** One message including its type byte and length. */
export interface Frame {
  /** ASCII code of the type byte. */
  type: number;
  bytes: Buffer;
}

export const code = (letter: string): number => letter.charCodeAt(0);

/** Cuts typed messages (everything after the startup packet) out of chunks of any size. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** @throws RangeError when a length field makes no sense: the connection must be closed. */
  read(chunk: Buffer): Frame[] {
    let bytes = this.#rest.length ? Buffer.concat([this.#rest, chunk]) : chunk;
    const frames: Frame[] = [];
    while (bytes.length >= 5) {
      const length = bytes.readInt32BE(1) + 1;
      if (length < 5 || length > maxMessageBytes) throw new RangeError(`message of ${length} bytes`);
      if (bytes.length < length) break;
      frames.push({ type: bytes.readUInt8(0), bytes: bytes.subarray(0, length) });
      bytes = bytes.subarray(length);
    }
    this.#rest = bytes;
    return frames;
  }
}

/** Reads the zero-terminated string at `offset`; `end` is the offset behind its terminator. */
export function cstring(bytes: Buffer, offset: number): { text: string; end: number } {
  const zero = bytes.indexOf(0, offset);
  const stop = zero < 0 ? bytes.length : zero;
  return { text: bytes.toString("utf8", offset, stop), end: stop + 1 };
}

/** A message of the given type around `body`. */
export function frame(type: string, ...body: (Buffer | string)[]): Buffer {
  const parts = body.map((part) => (typeof part === "string" ? Buffer.from(`${part}\0`) : part));
  const head = Buffer.alloc(5);
  head.writeUInt8(code(type), 0);
  head.writeInt32BE(4 + parts.reduce((sum, part) => sum + part.length, 0), 1);
  return Buffer.concat([head, ...parts]);
}

export const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value, 0);
  return bytes;
};

export const simpleQuery = (sql: string): Buffer => frame("Q", sql);
export const sync = frame("S");
export const readyIdle = frame("Z", Buffer.from("I"));

/** ErrorResponse with the fields that drivers show. */
export function errorResponse(severity: "ERROR" | "FATAL", sqlState: string, message: string, hint?: string): Buffer {
  const fields = [`S${severity}`, `V${severity}`, `C${sqlState}`, `M${message}`, ...(hint ? [`H${hint}`] : [])];
  return frame("E", ...fields, Buffer.from([0]));
}

/** Parameters of a startup packet (without its length field), or undefined when it is not protocol 3. */
export function startupParameters(packet: Buffer): Map<string, string> | undefined {
  if (packet.readInt32BE(4) >> 16 !== 3) return undefined;
  const parameters = new Map<string, string>();
  for (let at = 8; at < packet.length && packet[at] !== 0;) {
    const name = cstring(packet, at);
    const value = cstring(packet, name.end);
    parameters.set(name.text, value.text);
    at = value.end;
  }
  return parameters;
}
