// Since when all logs of the installation stand under seals: an entry of its own log says so. It is written when the last log of
// before there were seals has got its own, and again each month, so that retention leaves one.
import { defineAction } from "./action";
import { platformLog } from "./platform";
import { entryMoment } from "./store";

const MONTH_MS = 30 * 86_400_000;

export const logsSealed = defineAction("audit.logs.sealed", { logs: "plain", sealed: "plain" });

export const areLogsSealed = async (): Promise<boolean> =>
  (await entryMoment(platformLog, logsSealed.name)) !== undefined;

/** Whether it is time to say so again. */
export async function isSayingDue(now: Date): Promise<boolean> {
  const said = await entryMoment(platformLog, logsSealed.name);
  return said === undefined || said.getTime() < now.getTime() - MONTH_MS;
}
