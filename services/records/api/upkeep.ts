// The upkeep of records.
import { api } from "encore.dev/api";
import { CronJob } from "encore.dev/cron";
import { purgeDeleted } from "../upkeep";

/** Removes what was deleted thirty days ago. */
export const maintain = api({ expose: false, method: "POST", path: "/records/maintain" }, async (): Promise<void> => {
  await purgeDeleted();
});

export const maintainHourly = new CronJob("records-maintain", {
  title: "Remove records that were deleted thirty days ago",
  every: "1h",
  endpoint: maintain,
});
