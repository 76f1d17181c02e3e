// Numbers as the native interface takes them for integer parameters (Node-API, napi_get_value_*): what is no whole number of that size is
// cut to one, silently.

const INT64_MAX = 2n ** 63n - 1n;

/** Cut towards zero and to the range; what is not finite is 0. */
export function integer64(value: number): string {
  if (!Number.isFinite(value)) return "0";
  const whole = BigInt(Math.trunc(value));
  return String(whole > INT64_MAX ? INT64_MAX : whole < -INT64_MAX - 1n ? -INT64_MAX - 1n : whole);
}

/** The low 32 bits, signed. */
export const integer32 = (value: number): number => value | 0;

/** The low 32 bits. */
export const unsigned32 = (value: number): number => value >>> 0;
