export { Agent, type CallOptions, type Method } from "./agent.js";
export { BOUNDS, type Bounds } from "./bounds.js";
export { requestIdOf } from "./call-names.js";
export { type CheckOptions, type CheckResult, check, type Path } from "./check.js";
export type { Security, TlsOptions } from "./credentials.js";
export {
  type Call,
  decide,
  type FinalVerdict,
  type Heard,
  type Known,
  learn,
  NOTHING_KNOWN,
} from "./decide.js";
export { type DrainOptions, type DrainRun, drain, planOf } from "./drain/drain.js";
export { planDrain } from "./drain/plan.js";
export type {
  DrainEvent,
  DrainOrder,
  DrainPlan,
  DrainProgress,
  DrainReport,
  DrainState,
  LeftGuest,
  LeftReason,
  MovedGuest,
  Moving,
  NamedHost,
  Obstacle,
  PlannedMove,
  PlannedTarget,
  PlanOptions,
  Survey,
  SurveyedGuest,
  SurveyedTarget,
} from "./drain/words.js";
export { Guests, getInfo, getMigration, listMigrations, watchMigrations } from "./guests.js";
export { codeOf, fromWireCause, fromWireVerdict, wordsOf } from "./hear.js";
export { connectHost, type Host, type HostAddress } from "./host.js";
export { guestStateName } from "./look.js";
export { type MigrateOptions, type MigrationRun, migrate } from "./migrate.js";
export {
  type MigrationEvent,
  MigrationRefused,
  type Outcome,
  type ProgressNow,
  type Verdict,
  type Why,
} from "./outcome.js";
export {
  type OverridePlan,
  type OverrideStatement,
  override,
  planOverride,
} from "./override.js";
export {
  decidePerished,
  findPerished,
  type PerishedChoice,
  type PerishedGuest,
} from "./perished.js";
export { type Resolution, resolve, type Testimony } from "./resolve.js";
export { type Move, ROWS, type Row, type RowId } from "./rows.js";
export { TRANSPORTS, type Transport } from "./transport.js";
