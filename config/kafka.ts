// Which Kafka gets the events (KAFKA_URL): one address with all brokers, like the addresses of the other servers.
//   kafka://broker-1:9092,broker-2:9092                       in clear
//   kafkas://name:password@broker-1:9093?sasl=scram-sha-512   by TLS, signed in
import { z } from "zod";

export interface KafkaSettings {
  /** `host:port` of those that are asked first; they name the others. */
  brokers: string[];
  isTls: boolean;
  sasl?: { mechanism: SaslMechanism; username: string; password: string };
}

export type SaslMechanism = "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";

const MECHANISMS: Readonly<Record<string, SaslMechanism>> = {
  plain: "PLAIN",
  "scram-sha-256": "SCRAM-SHA-256",
  "scram-sha-512": "SCRAM-SHA-512",
};

export const KAFKA_REMEDY =
  "kafka://host:port,host:port or kafkas://name:password@host:port?sasl=scram-sha-512 (or plain, scram-sha-256)";

/** Undefined for a text that is no such address. Names and passwords are percent-encoded, as in any URL. */
function parseKafkaUrl(text: string): KafkaSettings | undefined {
  const [scheme, rest] = splitAt(text, "://");
  if (rest === undefined || (scheme !== "kafka" && scheme !== "kafkas")) return undefined;
  const [location, query] = splitAt(rest, "?");
  const at = location.lastIndexOf("@");
  const hosts = location.slice(at + 1).split(",");
  const brokers = hosts.map(brokerOf);
  if (brokers.includes(undefined)) return undefined;
  const sasl = saslOf(at < 0 ? undefined : location.slice(0, at), new URLSearchParams(query));
  if (sasl === null) return undefined;
  return { brokers: brokers as string[], isTls: scheme === "kafkas", ...(sasl && { sasl }) };
}

function splitAt(text: string, mark: string): [string, string | undefined] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + mark.length)];
}

function brokerOf(host: string): string | undefined {
  if (!URL.canParse(`tcp://${host}`)) return undefined;
  const { host: read, port, username, pathname } = new URL(`tcp://${host}`);
  return port !== "" && read === host && username === "" && pathname === "" ? host : undefined;
}

/** Undefined without a sign-in, null for one that is wrong. */
function saslOf(credentials: string | undefined, query: URLSearchParams): KafkaSettings["sasl"] | null | undefined {
  const known = [...query.keys()].every((name) => name === "sasl");
  if (!known) return null;
  if (credentials === undefined) return query.has("sasl") ? null : undefined;
  const mechanism = MECHANISMS[query.get("sasl") ?? "scram-sha-512"];
  const [name, secret] = splitAt(credentials, ":");
  if (!mechanism || name === "" || secret === undefined || secret === "") return null;
  try {
    return { mechanism, username: decodeURIComponent(name), password: decodeURIComponent(secret) };
  } catch {
    return null;
  }
}

export const kafkaUrl = z
  .string()
  .max(4_000, "is too long")
  .transform((text, context): KafkaSettings => {
    const settings = parseKafkaUrl(text);
    if (settings) return settings;
    context.addIssue({ code: "custom", message: "is not such an address" });
    return z.NEVER;
  });

/** A password that everybody on the way can read. */
export const sendsPasswordInClear = (kafka: KafkaSettings | undefined): boolean =>
  kafka?.sasl?.mechanism === "PLAIN" && !kafka.isTls;
