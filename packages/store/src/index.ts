export { Ahead } from "./ahead.js";
export { type AuditEntry, AuditLog, readAudit } from "./audit.js";
export { type Disk, realDisk } from "./disk.js";
export { diskAround } from "./disk-around.js";
export { type Ending, Endings, type EndingsOptions, KEPT_MS } from "./endings.js";
export {
  REFUSALS,
  StoreCorrupt,
  StoreExists,
  StoreNewerFormat,
  StoreRefused,
  StoreUnwritable,
} from "./errors.js";
export { Folders, type FoldersOptions } from "./folders.js";
export type { Format } from "./format.js";
export type { Lock } from "./lock.js";
export { type Kept, Migrations, type MigrationsOptions } from "./migrations.js";
export type { Durability } from "./record.js";
export { openStateDirectory } from "./state-directory.js";
export { watchedDisk } from "./watched-disk.js";
