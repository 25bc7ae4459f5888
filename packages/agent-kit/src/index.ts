export { type AgentServer, type AgentServerOptions, serve } from "./agent-server.js";
export { watchAudit } from "./audit-watch.js";
export { type CallIds, callIdsOf } from "./call-ids.js";
export { Certificates, certificatesOf } from "./certificates.js";
export { Changes } from "./changes.js";
export { type AgentRole, agentIdOf, type Config, isHostId, splitAddress } from "./config.js";
export { loadConfig, parseConfig } from "./config-file.js";
export { ConfigWatch } from "./config-watch.js";
export { DiskHealth } from "./disk-health.js";
export { type AgentPhase, door } from "./door.js";
export { type Answer, Driver, type World } from "./driver.js";
export { dying } from "./dying.js";
export { everyHour } from "./every-hour.js";
export { takeHostName } from "./host-name.js";
export {
  callerName,
  hostIdOfAgent,
  type PeerIdentity,
  peerIdentity,
  requireAsk,
} from "./identity.js";
export { infoHandler } from "./info.js";
export { mostPerCaller } from "./limit-metrics.js";
export { type Log, type Logger, makeLogger, openLog } from "./logs.js";
export { measuredDisk } from "./measured-disk.js";
export { type CallMetrics, type Metrics, makeMetrics, tellBuild } from "./metrics.js";
export { type MetricsEndpoint, serveMetrics } from "./metrics-endpoint.js";
export { type MigrationFacts, MigrationSeries } from "./migration-series.js";
export { type MigrationsKnown, migrationHandlers } from "./migration-service.js";
export { hostInTrace, MigrationTrace } from "./migration-trace.js";
export { openMonitor } from "./monitor.js";
export { checkMachine } from "./node-check.js";
export { Orphans, type OrphansHost } from "./orphans.js";
export { orphansHandler } from "./orphans-handler.js";
export type { OrphanFound } from "./orphans-remove.js";
export { ANSWERS_WITHIN_MS, override, type Statement } from "./override.js";
export { checkAddress, checkProbeNetwork } from "./path-form.js";
export { dialProbe, listenForProbe, type ProbeListener } from "./path-probe.js";
export { peerDialer, tunnelSecurity } from "./peer-dialer.js";
export { type PeerLine, PeerLines } from "./peer-lines.js";
export { policyOf } from "./policy-file.js";
export { bundledQemu } from "./qemu-bundle.js";
export { lookAtQemuLater, type QemuHere, toWireBuild } from "./qemu-here.js";
export * from "./records.js";
export { type AgentProgram, type RunningAgent, runAgent } from "./run-agent.js";
export { guestRunDirectory } from "./run-directory.js";
export { adapters, type BidiCall, type CallContext, checkAddressee, statusOf } from "./server.js";
export { share } from "./share.js";
export { endOnSignals } from "./shutdown.js";
export { NO_TRACES, openTraces, type SpanOver, type Traces } from "./traces.js";
export { Turns } from "./turns.js";
export { Undo } from "./undo.js";
export { PROTOCOL_VERSION, VERSION } from "./version.js";
export { Vigil } from "./vigil.js";
export { waitFor } from "./waits.js";
export {
  checkGuestId,
  checkMigrationId,
  checkServing,
  fromWireAccelerator,
  fromWireSpec,
  fromWireTransport,
  fromWireVerdict,
  invalid,
  type Transport,
  toWireAccelerator,
  toWireSpec,
  toWireTransport,
  toWireVerdict,
  unknownMigration,
} from "./wire.js";
export { within } from "./within.js";
