// What the next transaction's connection is sent, by the driver's own methods.
import type { PoolClient } from "pg";
import { appPool } from "../pool";

export interface Sent {
  client?: PoolClient;
  /** Texts that the server reads, each with the name that it is given; "" for none. */
  readonly parsed: { text: string; name: string }[];
  /** Names of statements that are bound. */
  readonly bound: string[];
  readonly closed: string[];
  /** Texts that travel as simple queries: the session's reset is one. */
  readonly simple: string[];
}

interface Wire {
  parse(message: { text: string; name: string }): void;
  bind(message: { statement: string }): void;
  close(message: { name: string }): void;
  query(text: string): void;
}

/** Of the transaction that takes a connection next, and of everybody who takes that one after it. */
export function nextSent(): Sent {
  const sent: Sent = { parsed: [], bound: [], closed: [], simple: [] };
  appPool().once("acquire", (client) => {
    sent.client = client;
    const wire = client.connection as unknown as Wire;
    const { parse, bind, close, query } = wire;
    wire.parse = (message) => {
      sent.parsed.push({ text: message.text, name: message.name });
      parse.call(wire, message);
    };
    wire.bind = (message) => {
      sent.bound.push(message.statement);
      bind.call(wire, message);
    };
    wire.close = (message) => {
      sent.closed.push(message.name);
      close.call(wire, message);
    };
    wire.query = (text) => {
      sent.simple.push(text);
      query.call(wire, text);
    };
  });
  return sent;
}
