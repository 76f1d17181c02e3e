// How processes of one app recognise each other's calls: Encore's `encore-auth` (contract A-13). The caller signs who it is and
// for whom it calls with a key that both sides have; a signature is good for two minutes. What it does not cover: path and
// body, which TLS between the processes has to protect.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { ServiceKey } from "../config";
import { headerValues, type HeaderLines } from "./inbound";
import { toWire } from "../schema/header-encoder";

export const AUTH_METHOD = "encore-auth";
const SIGNATURE = "x-encore-meta-svc-auth";
const DATE = "x-encore-meta-date";
const SCHEME = "ENCORE1-HMAC-SHA3-256";
const SKEW_MS = 120_000;
/** What is signed, in the order in which it is hashed. */
const SIGNED = [
  "x-correlation-id",
  "x-encore-meta-authdata",
  "x-encore-meta-callee",
  "x-encore-meta-caller",
  "x-encore-meta-userid",
  "x-encore-meta-version",
];
const HTTP_DATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
const PARAMETERS = /^cred="(\d{8})\/([^/"]*)\/([^/"]*)\/(\d{1,10})", op=([0-9a-f]{64}), sig=[0-9a-f]{64}$/;

/** The app's id and the name of its environment: part of what keys are derived from. */
export interface Scope {
  appId: string;
  environment: string;
}

const hmac = (key: Buffer, text: string): Buffer => createHmac("sha3-256", key).update(text).digest();

const isoOf = (atMs: number): string => new Date(atMs).toISOString();
const dayOf = (atMs: number): string => isoOf(atMs).slice(0, 10).replaceAll("-", "");

/** Hash over the metadata headers, whatever order they come in. */
function operationHash(lines: HeaderLines): string {
  const meta = createHash("sha3-256");
  for (const name of SIGNED) {
    const values = headerValues(lines, name)
      .map((value) => Buffer.from(value))
      .sort((a, b) => Buffer.compare(a, b));
    for (const value of values) meta.update(`${name}=`).update(value).update("\n");
  }
  const payload = meta.digest();
  const length = Buffer.alloc(4);
  length.writeUInt32LE(payload.length);
  return createHash("sha3-256").update("internal-apicall\0").update(length).update(payload).digest("hex");
}

function signatureOf({ id, key }: ServiceKey, { appId, environment }: Scope, atMs: number, operation: string): string {
  const credentials = `${dayOf(atMs)}/${appId}/${environment}/${id}`;
  const digest = `${SCHEME}\n${isoOf(atMs).slice(0, 19)}Z\n${credentials}\n${operation}`;
  const derived = [dayOf(atMs), appId, environment, "encore_request"].reduce(hmac, Buffer.from(`ENCORE1${key}`));
  return `${SCHEME} cred="${credentials}", op=${operation}, sig=${hmac(derived, digest).toString("hex")}`;
}

/** The lines that sign `lines`: names and values in turn. */
export function sign(lines: HeaderLines, key: ServiceKey, scope: Scope, nowMs: number): string[] {
  const signature = signatureOf(key, scope, nowMs, operationHash(lines));
  return [
    SIGNATURE,
    toWire(signature),
    DATE,
    new Date(nowMs).toUTCString(),
    "x-encore-meta-svc-auth-method",
    AUTH_METHOD,
  ];
}

const same = (a: string, b: string): boolean =>
  Buffer.byteLength(a) === Buffer.byteLength(b) && timingSafeEqual(Buffer.from(a), Buffer.from(b));

interface Claim {
  scope: Scope;
  keyId: number;
  atMs: number;
  operation: string;
}

/** What a signature says of itself, or what is wrong with its form. */
function parseSignature(signature: string, date: string): Claim | string {
  const atMs = HTTP_DATE.test(date) ? Date.parse(date) : Number.NaN;
  if (Number.isNaN(atMs)) return "invalid header: invalid date header";
  if (!signature.startsWith(`${SCHEME} `)) return "invalid header: invalid auth scheme";
  const [, day, appId = "", environment = "", id, operation = ""] =
    PARAMETERS.exec(signature.slice(SCHEME.length + 1)) ?? [];
  if (day === undefined) return "invalid header: invalid authorization header";
  if (day !== dayOf(atMs)) return "invalid header: invalid date header";
  return { scope: { appId, environment }, keyId: Number(id), atMs, operation };
}

/** Why a signature is not to be believed, in the official words; null when it is. */
export function problemOf(lines: HeaderLines, keys: readonly ServiceKey[], nowMs: number): string | null {
  const [signature] = headerValues(lines, SIGNATURE);
  const [date] = headerValues(lines, DATE);
  if (signature === undefined) return "no authorization header";
  if (date === undefined) return "no date header";
  const claim = parseSignature(signature, date);
  if (typeof claim === "string") return claim;
  const { scope, keyId, atMs, operation } = claim;
  if (Math.abs(nowMs - atMs) > SKEW_MS) return "date skew";
  const key = keys.find((one) => one.id === keyId);
  if (!key) return "unknown key";
  const isSigned = same(signature, signatureOf(key, scope, atMs, operation));
  return isSigned && same(operation, operationHash(lines)) ? null : "signature mismatch";
}
