// The upkeep of notifications.
import { api } from "encore.dev/api";
import { CronJob } from "encore.dev/cron";
import { doEach } from "../../../db/upkeep";
import { purgeOld } from "../upkeep";

/** Removes what is past its time. */
export const maintain = api(
  { expose: false, method: "POST", path: "/notifications/maintain" },
  async (): Promise<void> => {
    await doEach(purgeOld);
  },
);

export const maintainOften = new CronJob("notifications-maintain", {
  title: "Remove notifications after ninety days",
  every: "10m",
  endpoint: maintain,
});
