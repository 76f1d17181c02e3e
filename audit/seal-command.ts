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

/** All logs, or that of an organisation or of the installation. Resolves with whether none is broken. @throws Error for whom there is no log. */
export function sealByCommand(log: string, say: (line: string) => void): Promise<boolean> {
  return onBehalfOf(COMMAND, () => (log === "" ? sealAll(say) : sealOne(log, say)));
}

async function sealAll(say: (line: string) => void): Promise<boolean> {
  const { logs, sealed, broken } = await sealLogs((tenant, sealing) => {
    if (sealing !== "was") say(lineOf(tenant === platformLog.tenantId ? INSTALLATION : tenant, sealing));
  });
  say(`${logs} logs: ${sealed} sealed now, ${broken} broken and left as they are, the others were sealed`);
  return broken === 0;
}

async function sealOne(log: string, say: (line: string) => void): Promise<boolean> {
  if (log !== INSTALLATION && !isUuid(log))
    throw new Error(`${log} is neither an organisation's id nor "${INSTALLATION}"`);
  const tenantId = log === INSTALLATION ? platformLog.tenantId : tenantIdFrom(log);
  if (!(await logExists({ tenantId }))) throw new Error(`there is no log of ${log}`);
  const sealing = await sealLog(tenantId);
  say(lineOf(log, sealing));
  return sealing !== "broken";
}

const TEXT: Record<Sealing, string> = {
  sealed: "is sealed, where it begins and where it ends",
  was: "was sealed already",
  broken: "is broken and left as it is: see `audit verify`",
};
const lineOf = (log: string, sealing: Sealing): string => `${log}  ${TEXT[sealing]}`;
