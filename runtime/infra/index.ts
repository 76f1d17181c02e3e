// What runs before and beside the app: Postgres (embedded or elsewhere), migrations, databases for tests.
export { connect } from "./connect";
export { type CopyBroker, startCopyBroker } from "./copy-broker";
export { InfraError } from "./errors";
export { hostDatabase, needsHostDatabase } from "./host-database";
export { type InfraConfig, readInfraConfig } from "./infra-config";
export { checkObjectStorage } from "./object-storage";
export { checksumOf } from "./migration-history";
export { readMigrations } from "./migration-files";
export { quoteIdentifier, quoteQualified } from "./database-url";
export {
  type AppliedMigration,
  appliedMigrations,
  migrate,
  type MigrateOptions,
  type MigrationFolder,
  type MigrationRow,
  migrationStatus,
  repairMigrations,
} from "./migrations";
export { databasesBeside, type Infra, type InfraOptions, startInfra } from "./start";
export { beginRestore, endRestore, refuseUnfinishedRestore } from "./unfinished-restore";
export { cloneDatabase, type ClonedDatabase, createTemplate, type Template } from "./test-databases";
