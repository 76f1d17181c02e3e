// Where SQL answers differ from the recorded ones on purpose. A case that differs and is not listed fails, and so
// does an entry that is no longer needed.

/** On every database. */
export const exceptions: Record<string, string> = {
  "sql.probe.txAfterError":
    "commit() of an aborted transaction rejects; officially it claims success (Appendix B, SQL)",
  "sql.probe.settingsLeak": "what a connection has SET does not reach its next user (Appendix B, SQL)",
  "sql.probe.connectionString":
    "it is the database's own address; officially a proxy inside the process, with a fixed user and password",
  "sql.probe.pgSearchPath": "settings in the connection string are honoured; the official proxy drops them",
  "sql.probe.pgOtherDatabase": "Postgres' own error 3D000; officially the proxy's",
  "sql.vector": "it shows the numbers that this database gave the types halfvec and sparsevec",
};

/** On a server of one's own: who may connect is its affair, not a proxy's that lets everybody in. */
export const serverExceptions: Record<string, string> = {
  "sql.error.permission": "the test's role owns its tables; under `encore run` the app's role does not",
  "sql.probe.pgApplicationName": exceptions["sql.probe.pgSearchPath"] ?? "",
  "sql.probe.pgWrongPassword": "refused",
  "sql.probe.pgWrongUser": "refused",
};

/** On the embedded database, which is Postgres 18 and has one session. */
export const embeddedExceptions: Record<string, string> = {
  "sql.error.not_null": "Postgres 18 reports another routine of its source",
  "sql.statement.show": "the time zone is called UTC, not Etc/UTC",
  "sql.probe.pgManyConnections": "all connections share the one backend",
  "sql.tx_state_does_not_leak":
    "a two-part setting that was set once is empty afterwards, not null, in the one session",
};

/** Cases that hold two transactions open at once or wait in the database: one session cannot. Run on a server. */
export const needSessions = [
  "sql.probe.txIsolation",
  "sql.probe.txNested",
  "sql.probe.lockTimeout",
  "sql.probe.serialization",
  "sql.probe.statementTimeout",
  "sql.probe.pgCancel",
  "sql.probe.concurrency",
];

/** They describe the role that the official CLI gives the app (the kit's README). */
export const informational = "sql.role.";
