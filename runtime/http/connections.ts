// What the listener knows of a connection, and the end of those that wait too long for a next request.
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** How long a connection may wait for its next request; answers say so. */
export const IDLE_TIMEOUT_MS = 65_000;

/** The answer to a connection's latest request. */
export const latest = Symbol("latest answer");
/** When a connection was accepted, by performance.now(). */
export const accepted = Symbol("accepted");
const seen = Symbol("the latest answer at the last look");
const idleLooks = Symbol("looks in a row that found it idle since that answer");

export interface Connection extends Socket {
  [latest]?: ServerResponse;
  [accepted]?: number;
  [seen]?: ServerResponse;
  [idleLooks]?: number;
}

/** The answer that is due on a connection; node keeps it in a field without a public name. */
export function answerOn(socket: Socket): ServerResponse | null {
  return (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage ?? null;
}

/**
 * Keeps node from arming a timer after every answer, and clearing it before the next: a look over all connections now and
 * then finds the idle ones, and a request pays nothing for it.
 */
export function withoutTimer(socket: Socket): void {
  socket.setTimeout = () => socket;
}

/**
 * The connections that this look finds idle, and the `looks` before it found so since the same answer. Those that never sent
 * a request are not among them: node ends them when no head arrives in time.
 */
export function idleConnections(connections: Iterable<Connection>, looks: number): Socket[] {
  const found: Socket[] = [];
  for (const connection of connections) {
    const answer = connection[latest];
    if (!answer) continue;
    const isIdle = answerOn(connection) === null && connection.writableLength === 0;
    const before = connection[seen] === answer ? (connection[idleLooks] ?? 0) : 0;
    connection[seen] = answer;
    connection[idleLooks] = isIdle ? before + 1 : 0;
    if (isIdle && before >= looks) found.push(connection);
  }
  return found;
}
