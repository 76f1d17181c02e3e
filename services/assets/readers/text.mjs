// Markdown and plain text: as they are.
import { decode, Text } from "./refusal.mjs";

export function read(bytes) {
  const text = new Text();
  text.add(decode(bytes));
  return text.toString();
}
