// What a test file, the test runner and the process that serves databases to one worker tell each other.

/** From a test file to the runner, one line of JSON; the copy goes when the connection does. */
export interface CopyRequest {
  /** The worker whose process serves it. */
  worker: string;
  templateDir: string;
  database: string;
}

/** From the runner to the worker's database process. */
export type CopyErrand = { id: number; templateDir: string; database: string } | { id: number; drop: true };

/** The database process answers the first kind; the runner passes it on, one line of JSON. */
export type CopyAnswer = { id: number; url: string; ownerUrl: string } | { id: number; failed: string };
