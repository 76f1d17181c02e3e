// `npm run admin -- audit verify [ORGANISATION]`: what the check of logs found, in words. Nothing is written down: it reads.
import { isUuid } from "../db/ids";
import type { ChainBreak } from "./chain";
import {
  INSTALLATION,
  verifyLog,
  verifyLogs,
  type BrokenLog,
  type KnownOrganisations,
  type LogsCheck,
  type TellProgress,
  type UnsealedLog,
} from "./verify-logs";

const PROGRESS_EVERY_MS = 2_000;

/** What each break means: what somebody must have done who can write the tables. */
const MEANING: Record<ChainBreak["what"] | "restarted", string> = {
  missing: "is missing: it was removed, or the log was cut off here",
  changed:
    "is not as it was written: it was changed, exchanged or put in by somebody without the master key, or the log's end was set back to it (another master key than it was written with looks the same)",
  added:
    "stands before the start or behind the end of the log: it was added past the app, or the log's start was set on, or its end back",
  unsealed:
    "is where the log begins, or ends, and the app has not let it: entries in front of it or behind it were removed, or the seal over that was (another master key than it was sealed with looks the same)",
  restarted:
    "is not the organisation's creation: its log was removed, and the app has begun another (one that is older than the audit log looks the same)",
};

export interface VerifyOutput {
  /** The result. */
  say: (line: string) => void;
  /** How far it has come, every two seconds. */
  sayProgress: (line: string) => void;
  /** Monotonic milliseconds. */
  clock: () => number;
}

/** All logs, or that of an organisation or of the installation; `organisations`: those that must have one. Resolves with whether all is as it was written. @throws Error for whom there is no log. */
export async function verifyByCommand(
  log: string,
  { say, sayProgress, clock }: VerifyOutput,
  organisations?: KnownOrganisations,
): Promise<boolean> {
  if (log !== "" && log !== INSTALLATION && !isUuid(log))
    throw new Error(`${log} is neither an organisation's id nor "${INSTALLATION}"`);
  let toldAtMs = clock();
  const tell: TellProgress = ({ logs, entries }, at) => {
    if (clock() - toldAtMs < PROGRESS_EVERY_MS) return;
    toldAtMs = clock();
    sayProgress(`${ofAll(entries, logs)} so far, up to entry ${at.through} of ${at.log}`);
  };
  const sum = log === "" ? await verifyLogs(tell, { organisations }) : await verifyLog(log, tell, organisations);
  if (sum === undefined) throw new Error(`there is no log of ${log}`);
  for (const line of linesOf(sum)) say(line);
  return sum.broken.length === 0;
}

function linesOf({ logs, entries, broken, unsealed }: LogsCheck): string[] {
  const found = broken.map(({ log, broken: at }) => `BROKEN  ${log}  entry ${at.seq}${meaningOf(at)}`);
  const open = unsealed.map((at) => `UNSEALED  ${at.log}  ${openOf(at)}`);
  const all = ofAll(entries, logs);
  const sum = found.length === 0 ? "as they were written" : `read, each up to its first break; broken: ${found.length}`;
  const sealed = open.length === 0 ? "" : `; not wholly under seals: ${open.length}, see \`audit seal\``;
  return [...found, ...open, `${all}${found.length === 0 ? ":" : ""} ${sum}${sealed}`];
}

/** What may be missing without being seen. */
function openOf({ start, after }: UnsealedLog): string {
  const front = start ? ["in front of its first entry"] : [];
  return `entries may have been removed ${[...front, `behind those that follow entry ${after}`].join(", and ")}`;
}

const meaningOf = (at: BrokenLog["broken"]): string =>
  at.what === "unreadable" ? `, or one after it, cannot be read: ${at.reason}` : ` ${MEANING[at.what]}`;

const ofAll = (entries: number, logs: number): string =>
  `${entries} ${entries === 1 ? "entry" : "entries"} in ${logs} ${logs === 1 ? "log" : "logs"}`;
