// Dead letters of jobs that no organisation enqueued (events/platform-letters.ts).
import { platformLetters } from "../events/platform-letters";
import { discardJobs, redriveJobs } from "./dead-letters";
import { jobDeadLetters } from "./store/dead-letter";

export const platformJobs = platformLetters<object>(jobDeadLetters, { redrive: redriveJobs, discard: discardJobs });
