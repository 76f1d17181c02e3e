import { type Job } from "./job";

export interface Worker {
  jobs: Job[];
}
