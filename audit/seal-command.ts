// `npm run admin -- audit seal [ORGANISATION]`: by who has the machine and its secrets, once all processes of a version before seals
// have ended, or after somebody looked into why a log has none. Each log that gets a seal says so.
import { isUuid } from "../db/ids";
import { onBehalfOf } from "../security/provenance";
import { platformLog } from "./platform";
import { sealLog, sealLogs, type Sealing } from "./sealing";
import { logExists } from "./store";
import { INSTALLATION } from "./verify-logs";
import { tenantIdFrom } from "../security/principal";

const COMMAND = "system:command";

/**
 * All logs, or that of an organisation or of the installation. Resolves with whether none is broken. `override`: why the one that is
 * named is sealed although its seals do not fit. @throws Error for whom there is no log.
 */
export function sealByCommand(log: string, say: (line: string) => void, override?: string): Promise<boolean> {
  if (override !== undefined && (log === "" || override.trim() === ""))
    throw new Error("--override says why the one log that is named is sealed although its seals do not fit");
  return onBehalfOf(COMMAND, () => (log === "" ? sealAll(say) : sealOne(log, say, override?.trim() ?? null)));
}

async function sealAll(say: (line: string) => void): Promise<boolean> {
  const { logs, sealed, broken, left } = await sealLogs((tenant, sealing) => {
    if (sealing !== "was") say(lineOf(tenant === platformLog.tenantId ? INSTALLATION : tenant, sealing));
  });
  say(`${logs} logs: ${sealed} sealed now, ${broken} broken and ${left} left as they are, the others were sealed`);
  return broken === 0 && left === 0;
}

async function sealOne(log: string, say: (line: string) => void, override: string | null): Promise<boolean> {
  if (log !== INSTALLATION && !isUuid(log))
    throw new Error(`${log} is neither an organisation's id nor "${INSTALLATION}"`);
  const tenantId = log === INSTALLATION ? platformLog.tenantId : tenantIdFrom(log);
  if (!(await logExists({ tenantId }))) throw new Error(`there is no log of ${log}`);
  const sealing = await sealLog(tenantId, override);
  say(lineOf(log, sealing));
  return sealing === "sealed" || sealing === "was";
}

const TEXT: Record<Sealing, string> = {
  sealed: "is sealed, where it begins and where it ends",
  was: "was sealed already; whether its entries are as they were written is told by `audit verify`",
  broken: "is broken and left as it is: see `audit verify`",
  left: "went on faster than it was checked, and is left as it is: try again",
};
const lineOf = (log: string, sealing: Sealing): string => `${log}  ${TEXT[sealing]}`;
