// What the providers' packages are made with, for whatever they are asked.
import { boundedFetch, type Journey } from "./bounded-fetch";
import { ProviderFailure } from "./failure";
import type { Provider } from "./registry";

/** A model of a provider, and the key that it is asked by. */
export interface Opening {
  provider: Provider;
  model: string;
  key: string;
}

interface Settings {
  apiKey: string;
  fetch: typeof fetch;
  baseURL?: string;
}

/** @param check looks at what is about to leave, and throws what keeps it here */
export function settingsOf(
  { provider: { baseUrl }, key }: Opening,
  journey: Journey,
  check: (body: unknown) => void = () => undefined,
): Settings {
  return { apiKey: key, fetch: boundedFetch(journey, check), ...(baseUrl === undefined ? {} : { baseURL: baseUrl }) };
}

/**
 * Keys travel in a header: visible characters of ASCII, and nothing that would end it (RFC 9110 §5.5).
 * @throws ProviderFailure `key_refused`
 */
export function assertFitsHeader({ key }: Opening): void {
  let fits = key !== "";
  for (let at = 0; at < key.length; at++) {
    const code = key.charCodeAt(at);
    fits &&= code > 0x20 && code < 0x7f;
  }
  if (!fits) throw new ProviderFailure("key_refused", { paid: "nothing" });
}
