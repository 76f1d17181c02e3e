// Upkeep of what is kept under Idempotency-Keys.
import { api } from "encore.dev/api";
import { CronJob } from "encore.dev/cron";
import { purgeRequests } from "./upkeep";

export const purge = api({ expose: false, method: "POST", path: "/idempotency/purge" }, async (): Promise<void> => {
  await purgeRequests();
});

export const purgeOften = new CronJob("idempotency-purge", {
  title: "Delete answers to Idempotency-Keys past their retention",
  every: "10m",
  endpoint: purge,
});
