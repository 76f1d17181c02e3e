// A process that drives one saga and ends itself by SIGKILL at a place. Arguments: which saga, tenant, id, place.
import { writeSync } from "node:fs";
import { tenantIdFrom } from "../../security/principal";
import { doomed, drive, hooks, order } from "./ledger";

const [which = "", tenantId = "", id = "", place = ""] = process.argv.slice(2);

hooks.place = (name) => {
  if (name === place) process.kill(process.pid, "SIGKILL");
};
// Another system remembers what it was asked for, whatever becomes of who asked.
hooks.asked = (what, key) => void writeSync(1, `${what} ${key}\n`);

await drive(which === "order" ? order : doomed, tenantIdFrom(tenantId), id);
process.exit(0);
