// Telling "the broker is away" (worth another try) from "the broker says no".

const awayCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "57P01",
  "57P02",
  "57P03",
  "53300",
]);

const awayTexts = [
  "Connection terminated",
  "Connection is closed",
  "timeout exceeded when trying to connect",
  "Client has encountered a connection error",
  "Client was closed",
  "Reached the max retries per request limit",
  "Stream isn't writeable",
  "Command timed out",
  "Socket timeout.",
  "Redis does not answer",
];

/** Whether `error` means that the connection, not the statement, failed. */
export function isBrokerAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = String((error as { code?: unknown }).code ?? "");
  if (awayCodes.has(code) || code.startsWith("08")) return true;
  return awayTexts.some((text) => error.message.includes(text));
}

/**
 * Runs `work` again while the broker is away: waits double from 100 ms to 2 s.
 * @throws the last error after `timeoutMs`, and any other error at once
 */
export async function whileAway<T>(work: () => Promise<T>, timeoutMs: number): Promise<T> {
  const until = Date.now() + timeoutMs;
  for (let waitMs = 100; ; waitMs = Math.min(waitMs * 2, 2000)) {
    try {
      return await work();
    } catch (error) {
      if (!isBrokerAway(error) || Date.now() + waitMs > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}
