// Rules for names of buckets (kebab-case) and metrics (snake_case).
const MAX_LENGTH = 63;

/** What is wrong with a name, or undefined. */
export function nameProblem(name: string, separator: "-" | "_", reservedPrefix?: string): string | undefined {
  if (name === "" || name.length > MAX_LENGTH)
    return `name must be between 1 and ${MAX_LENGTH} characters long (got ${name.length})`;
  const first = name.charAt(0);
  if (!/[a-z]/.test(first)) return `name must start with a lowercase letter (got '${first}')`;
  const last = name.charAt(name.length - 1);
  if (!/[a-z0-9]/.test(last)) return `name must end with a lowercase letter or digit (got '${last}')`;
  const bad = [...name].findIndex((char) => char !== separator && !/[a-z0-9]/.test(char));
  const described = separator === "-" ? "dashes" : "underscores";
  if (bad >= 0)
    return `name must only contain lowercase letters, numbers, and ${described} (got '${[...name][bad]}' at position ${bad})`;
  if (reservedPrefix === undefined || !name.startsWith(reservedPrefix)) return undefined;
  return `name must not start with reserved prefix '${reservedPrefix}' (got '${name}')`;
}

/** `roomName`, `RoomName`, `room-name` → `room_name`. */
export const snakeCase = (name: string): string =>
  name
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1_$2")
    .replace(/([a-zA-Z])([0-9])/g, "$1_$2")
    .replace(/([0-9])([a-zA-Z])/g, "$1_$2")
    .replace(/[\s-]+/g, "_")
    .toLowerCase();
