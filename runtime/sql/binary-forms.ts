// Postgres' binary forms of the values that parameters are sent in. Source: the `*recv` functions of
// PostgreSQL's src/backend/utils/adt (numeric, date, timestamp, arrayfuncs) and pgvector's vector.c.
const postgresEpochMs = Date.UTC(2000, 0, 1);
const dayMs = 86_400_000;

export const int16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
};
export const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
export const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
export const int64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
};
export const float32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatBE(value);
  return bytes;
};
export const float64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes;
};

/** Days since 2000-01-01 of a time's UTC date. */
export const date = (ms: number): Buffer => int32(Math.floor((ms - postgresEpochMs) / dayMs));

/** Microseconds since 2000-01-01; `micros` are those below a millisecond. */
export const timestamp = (ms: number, micros = 0): Buffer =>
  int64(BigInt(ms - postgresEpochMs) * 1000n + BigInt(micros));

export const timeOfDay = (micros: number): Buffer => int64(BigInt(micros));

export const uuid = (text: string): Buffer => Buffer.from(text.replaceAll("-", ""), "hex");

const numericBase = 4;
const negative = 0x4000;

/** A decimal text (digits, optional point, optional exponent) in groups of four digits. */
export function numeric(text: string): Buffer {
  const plain = withoutExponent(text);
  const sign = plain.startsWith("-");
  const [whole = "", part = ""] = plain.replace(/^[+-]/, "").split(".");
  const left = whole.replace(/^0+/, "");
  const digits =
    left.padStart(Math.ceil(left.length / numericBase) * numericBase, "0") +
    part.padEnd(Math.ceil(part.length / numericBase) * numericBase, "0");
  const groups = (digits.match(/.{4}/g) ?? []).map(Number);
  let weight = Math.ceil(left.length / numericBase) - 1;
  while (groups.length && groups[0] === 0) {
    groups.shift();
    weight--;
  }
  while (groups.length && groups.at(-1) === 0) groups.pop();
  const head = [groups.length, groups.length ? weight : 0];
  return Buffer.concat([
    ...head.map(int16),
    int16(sign && groups.length ? negative : 0),
    int16(part.length),
    ...groups.map(int16),
  ]);
}

function withoutExponent(text: string): string {
  const [mantissa = "", exponent] = text.toLowerCase().split("e");
  if (exponent === undefined) return text;
  const sign = /^[+-]/.exec(mantissa)?.[0] ?? "";
  const [whole = "", part = ""] = mantissa.replace(/^[+-]/, "").split(".");
  const point = whole.length + Number(exponent);
  const digits = (whole + part).padEnd(Math.max(point, 0), "0");
  const shifted = point <= 0 ? `0.${"0".repeat(-point)}${digits}` : `${digits.slice(0, point)}.${digits.slice(point)}`;
  return sign + shifted.replace(/\.$/, "");
}

/** pgvector's vector. */
export const vector = (elements: number[]): Buffer =>
  Buffer.concat([int16(elements.length), int16(0), ...elements.map(float32)]);

/** One-dimensional array; `null` elements are NULL. */
export function array(elementOid: number, elements: (Buffer | null)[]): Buffer {
  const head = [int32(elements.length ? 1 : 0), int32(elements.includes(null) ? 1 : 0), uint32(elementOid)];
  if (elements.length) head.push(int32(elements.length), int32(1));
  return Buffer.concat([
    ...head,
    ...elements.flatMap((element) => (element === null ? [int32(-1)] : [int32(element.length), element])),
  ]);
}
