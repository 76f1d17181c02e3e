// inet and cidr, both ways: parameters given as text become Postgres' binary form (network.c), columns are written
// as the official runtime writes them.
import { isIPv4, isIPv6 } from "node:net";

function ipv4Bytes(address: string): number[] {
  return address.split(".").map(Number);
}

function ipv6Bytes(address: string): number[] {
  const embedded = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  const tail = embedded ? ipv4Bytes(embedded[2] ?? "") : [];
  const text = embedded ? `${embedded[1] ?? ""}${tail.length ? hexPair(tail) : ""}` : address;
  const [left = "", right] = text.split("::");
  const head = left ? left.split(":") : [];
  const end = right ? right.split(":") : [];
  const middle = right === undefined ? [] : Array<string>(8 - head.length - end.length).fill("0");
  return [...head, ...middle, ...end].flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]);
}

const hexPair = (bytes: number[]): string =>
  `${((bytes[0] ?? 0) * 256 + (bytes[1] ?? 0)).toString(16)}:${((bytes[2] ?? 0) * 256 + (bytes[3] ?? 0)).toString(16)}`;

/** Whether only the first `bits` may be set. */
const hasHostBits = (bytes: number[], bits: number): boolean =>
  bytes.some((byte, index) => (byte & (255 >> Math.min(Math.max(bits - index * 8, 0), 8))) !== 0);

/** `address[/bits]`, or undefined when it is none; a network (cidr) has no bits beyond its mask. */
export function networkBytes(text: string, isCidr: boolean): Buffer | undefined {
  const [address = "", mask] = text.split("/");
  const family = isIPv4(address) ? 4 : isIPv6(address) && !address.includes("%") ? 6 : 0;
  if (!family || (mask !== undefined && !/^\+?\d+$/.test(mask))) return undefined;
  const bytes = family === 4 ? ipv4Bytes(address) : ipv6Bytes(address);
  const bits = mask === undefined ? bytes.length * 8 : Number(mask);
  if (bits > bytes.length * 8 || (isCidr && hasHostBits(bytes, bits))) return undefined;
  return Buffer.from([family === 4 ? 2 : 3, bits, isCidr ? 1 : 0, bytes.length, ...bytes]);
}

/** A column's text: the mask of a whole address goes unsaid, and only mapped addresses (`::ffff:…`) keep their dots. */
export function networkText(text: string): string {
  const [address = "", bits] = text.split("/");
  const dotted = /^::(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
  const shown = dotted ? `::${hexPair(ipv4Bytes(dotted)).replace(/^0:/, "")}` : address;
  return bits === undefined || Number(bits) === (isIPv4(address) ? 32 : 128) ? shown : `${shown}/${bits}`;
}
