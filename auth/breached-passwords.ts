// Whether a password is among leaked ones, asked of a service that learns five characters of its SHA-1: the range API of Have
// I Been Pwned, or whatever answers like it. `GET <url>/<5 hex digits>` answers lines "<35 hex digits>:<count>"; with
// `Add-Padding: true` there are invented lines among them, whose count is 0 (haveibeenpwned.com/API/v3,
// "Searching by range" and "Introducing padding"). SHA-1 is what that corpus is keyed by; nothing of it is stored.
import { createHash } from "node:crypto";
import { cfg, type FrozenConfig } from "../config";
import { logger } from "../telemetry/logger";
import { breachChecksTotal } from "../telemetry/metrics";
import { FairTurns } from "../security/fair-turns";
import { outboundFetch } from "../security/outbound";

export type BreachAnswer = "absent" | "found" | "away";

/** Its answers take some 100 ms; whoever registers does not wait for a service that hangs. */
const TIMEOUT_MS = 2_000;
/** Of that time; the rest may have gone with waiting. */
const SILENT_AFTER = 0.75;
const PREFIX_CHARS = 5;
/**
 * By address, of which there is one. Of one that hangs, no more connections than these wait, and once one was given up nobody
 * does for a while.
 */
const AT_ONCE = { ofOne: 16, inAll: Infinity };
const createTurns = (nowMs?: () => number): FairTurns =>
  new FairTurns(
    {
      lines: { untried: AT_ONCE, prompt: AT_ONCE, slow: AT_ONCE, silent: { ofOne: 1, inAll: 1 } },
      waitingOfOne: 64,
      waitMsMax: TIMEOUT_MS,
      silentAfterMs: TIMEOUT_MS * SILENT_AFTER,
    },
    nowMs,
  );
const log = logger("auth");

export type BreachConfig = Pick<FrozenConfig, "env"> & { auth: Pick<FrozenConfig["auth"], "breachedPasswords"> };

/** `nowMs`: by which it is told whether a service hangs. */
export function createBreachCheck(nowMs?: () => number) {
  const turns = createTurns(nowMs);
  /** `away` when it does not answer in time, or not as it should; `absent` also where no service is configured. */
  return async (password: string, { env, auth }: BreachConfig = cfg, timeoutMs = TIMEOUT_MS): Promise<BreachAnswer> => {
    const { url } = auth.breachedPasswords;
    if (url === undefined) return "absent";
    const outcome = await ask(turns, url, password, { allowLoopback: env !== "production", timeoutMs });
    breachChecksTotal.add(1, { outcome });
    return outcome;
  };
}

export const askForBreaches = createBreachCheck();

async function ask(
  turns: FairTurns,
  url: string,
  password: string,
  { allowLoopback, timeoutMs }: { allowLoopback: boolean; timeoutMs: number },
): Promise<BreachAnswer> {
  const digest = createHash("sha1").update(password).digest("hex").toUpperCase();
  const signal = AbortSignal.timeout(timeoutMs);
  const address = `${url.endsWith("/") ? url.slice(0, -1) : url}/${digest.slice(0, PREFIX_CHARS)}`;
  const headers = { "add-padding": "true", "user-agent": "groundwork", accept: "text/plain" };
  try {
    const request = (cut: AbortSignal): Promise<Response> =>
      outboundFetch({ trust: "operator", allowLoopback })(address, {
        method: "GET",
        headers,
        signal: AbortSignal.any([signal, cut]),
      });
    const answer = await turns.run(url, request, [signal], timeoutMs * SILENT_AFTER);
    if (answer.status !== 200) throw new Error(`status ${answer.status}`);
    return isListed(await answer.text(), digest.slice(PREFIX_CHARS)) ? "found" : "absent";
  } catch (error) {
    // Not the address: its end is part of a hash.
    log.warn({ err: error instanceof Error ? error.name : "unknown" }, "leaked passwords could not be asked for");
    return "away";
  }
}

/** Lines end as the sender likes; hex digits are compared in capitals. */
function isListed(lines: string, suffix: string): boolean {
  const text = lines.toUpperCase();
  const at = text.indexOf(`${suffix}:`);
  if (at === -1) return false;
  const count = Number.parseInt(text.slice(at + suffix.length + 1, at + suffix.length + 12), 10);
  return count > 0;
}
