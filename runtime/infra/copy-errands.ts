// What a test file, the test runner and the process that serves databases to one worker tell each other.

/** A migrated database that is copied. Plain JSON: it travels from the test runner to its workers. */
export type Template =
  | {
      kind: "embedded";
      database: string;
      /** Folder of the migrated data. */
      dir: string;
      /** User and database name as a clone will have them. */
      url: string;
    }
  | {
      kind: "native";
      database: string;
      /** The template database itself. */
      url: string;
    };

/** From a test file to the runner, one line of JSON; the copy goes when the connection does. */
export interface CopyRequest {
  /** The worker whose process serves it, where it is an embedded one. */
  worker: string;
  template: Template;
}

/** From the runner to the worker's database process. */
export type CopyErrand = { id: number; templateDir: string; database: string } | { id: number; drop: true };

/** The runner's, one line of JSON. */
export type CopyAnswer = { url: string; ownerUrl: string } | { failed: string };
/** What the database process answers to the first kind; the runner passes it on. */
export type ServedAnswer = CopyAnswer & { id: number };
