// One attempt of a handler, which may fail or hang, and what is told of it.
import { logger } from "../../telemetry/logger";
import { busNoticesTotal } from "../../telemetry/metrics";
import { withinTime } from "../../telemetry/time-limit";
import { ATTEMPTS_MAX, HANDLER_LIMIT_MS, type Notice, type NoticeHandler } from "./bus";

/** True when it was handled. Never rejects. @param attempt from 1 */
export async function handleNotice(handler: NoticeHandler<unknown>, notice: Notice, attempt: number): Promise<boolean> {
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
