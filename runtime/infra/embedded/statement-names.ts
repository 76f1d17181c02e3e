// PGlite has one session, so all connections share one name space of prepared statements. Each
// connection's names get a prefix of its own; the unnamed statement is left alone (see session.ts).
import { code, cstring, frame, type Frame } from "./frames";

const Parse = code("P");
const Bind = code("B");
const Describe = code("D");
const Close = code("C");
const statementKind = code("S");

/** What a message says about a prepared statement. */
export interface StatementUse {
  kind: "parse" | "bind" | "describe" | "close";
  /** As the client calls it; "" is the unnamed statement. */
  name: string;
  /** Only for `parse`. */
  sql?: string;
}

/** The statement a message is about, if it is about one. */
export function statementUse({ type, bytes }: Frame): StatementUse | undefined {
  if (type === Parse) {
    const name = cstring(bytes, 5);
    return { kind: "parse", name: name.text, sql: cstring(bytes, name.end).text };
  }
  if (type === Bind) return { kind: "bind", name: cstring(bytes, cstring(bytes, 5).end).text };
  if ((type === Describe || type === Close) && bytes[5] === statementKind) {
    return { kind: type === Close ? "close" : "describe", name: cstring(bytes, 6).text };
  }
  return undefined;
}

/** The same message with the statement's name prefixed; messages about the unnamed statement stay as they are. */
export function prefixStatement(message: Frame, use: StatementUse, prefix: string): Buffer {
  if (use.name === "") return message.bytes;
  const { bytes } = message;
  if (use.kind === "parse") return frame("P", prefix + use.name, bytes.subarray(cstring(bytes, 5).end));
  if (use.kind === "bind") {
    const portalEnd = cstring(bytes, 5).end;
    return frame("B", bytes.subarray(5, portalEnd), prefix + use.name, bytes.subarray(cstring(bytes, portalEnd).end));
  }
  return frame(use.kind === "close" ? "C" : "D", Buffer.from("S"), prefix + use.name);
}

export const closeStatement = (name: string): Buffer => frame("C", Buffer.from("S"), name);
