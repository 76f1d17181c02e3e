// Backup and restore of everything that an installation has, without any program beside Node.
export { makeBackup, type BackupSummary } from "./make-backup";
export { restoreBackup, type DatabaseTarget, type RestoreSummary } from "./restore-backup";
