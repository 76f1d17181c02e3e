// The attempts of a handler, each of which may fail or hang, and what is told of them.
import { backoffMs } from "../../db/backoff";
import { logger } from "../../telemetry/logger";
import { busNoticesTotal } from "../../telemetry/metrics";
import { withinTime } from "../../telemetry/time-limit";
import { ATTEMPTS_MAX, HANDLER_LIMIT_MS, type Notice, type NoticeHandler } from "./bus";

const RETRY = { firstMs: 50, maxMs: 1_000 };

/**
 * Tries until it is handled, has had all its attempts, or `goesOn` says no. Never rejects.
 * @param firstAttempt 1, or more where readers before this one have died with it
 */
export async function handleNotice(
  handler: NoticeHandler<unknown>,
  notice: Notice,
  firstAttempt = 1,
  goesOn: () => boolean = () => true,
): Promise<void> {
  for (let attempt = firstAttempt; attempt <= ATTEMPTS_MAX && goesOn(); attempt++) {
    if (await isHandled(handler, notice, attempt)) return;
    if (attempt < ATTEMPTS_MAX) await new Promise((resolve) => setTimeout(resolve, backoffMs(RETRY, attempt)));
  }
}

async function isHandled(handler: NoticeHandler<unknown>, notice: Notice, attempt: number): Promise<boolean> {
  const { type, id } = notice;
  try {
    await withinTime(
      Promise.resolve().then(() => handler(notice)),
      HANDLER_LIMIT_MS,
    );
    busNoticesTotal.add(1, { type, outcome: "handled" });
    return true;
  } catch (error) {
    const isLast = attempt >= ATTEMPTS_MAX;
    busNoticesTotal.add(1, { type, outcome: isLast ? "dropped" : "failed" });
    const facts = { err: error, notice: id, type, attempt };
    if (isLast) logger("bus").error(facts, "a notice was dropped: its handler kept failing");
    else logger("bus").warn(facts, "a notice could not be handled and will be tried again");
    return false;
  }
}
