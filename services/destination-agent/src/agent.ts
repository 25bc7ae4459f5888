/*
 * The destination agent, put together. It answers STARTING from its first moment, settles every arrival
 * that its predecessor left, and then takes calls. What nobody owns is swept, and QEMU of this host is
 * asked what it can take, meanwhile: only Prepare and GetInfo wait for both.
 */
import {
  agentIdOf,
  bundledQemu,
  type Config,
  type ConfigWatch,
  callerName,
  certificatesOf,
  DiskHealth,
  everyHour,
  infoHandler,
  type Logger,
  lookAtQemuLater,
  makeMetrics,
  measuredDisk,
  migrationHandlers,
  mostPerCaller,
  openTraces,
  orphansHandler,
  PROTOCOL_VERSION,
  peerIdentity,
  policyOf,
  type QemuHere,
  type RunningAgent,
  serve,
  serveMetrics,
  takeHostName,
  tellBuild,
  tunnelSecurity,
  Undo,
  watchAudit,
} from "@ferry/agent-kit";
import {
  AgentServiceService,
  DestinationServiceService,
  Fault,
  MigrationServiceService,
  PeerServiceService,
  toStatus,
} from "@ferry/contract";
import { installKeeper } from "@ferry/qemu";
import { AuditLog, realDisk } from "@ferry/store";
import { Tethers } from "@ferry/tether";
import { type AdmissionHost, memoryFreeBytes } from "./admission.js";
import { Arrivals } from "./arrivals.js";
import { bandwidthAllotted, bandwidthUsed } from "./bandwidth.js";
import { finishHandler } from "./finish.js";
import { meetHandler } from "./meet.js";
import { migrationsKnown } from "./migrations.js";
import { orphansOf } from "./orphans.js";
import { Ports } from "./ports.js";
import { prepareHandler } from "./prepare.js";
import { probeHandler } from "./probe.js";
import { recover } from "./recover.js";
import { openDestinationStore } from "./store.js";
import { tellArrivals } from "./told.js";

const SERVICES = ["DestinationService", "PeerService", "MigrationService", "AgentService"].map(
  (name) => `ferry.v1.${name}`,
);
/** Calls that are under way when the agent ends may take this long, in milliseconds. */
const CALLS_GRACE_MS = 250;
/** After tethers were cut for the shutdown, their guests are reaped within this time. */
const REAP_MS = 4_000;

/** Starts it. Rejects, with everything undone, if it cannot. */
export async function startDestinationAgent(
  asked: Config,
  {
    log,
    watch,
    processMetrics = true,
  }: {
    readonly log: Logger;
    readonly watch?: ConfigWatch | undefined;
    readonly processMetrics?: boolean;
  },
): Promise<RunningAgent> {
  const installed = await bundledQemu(asked, log);
  const { config } = installed;
  const agentId = agentIdOf(config.hostId, "destination");
  const metrics = makeMetrics({ role: "destination", process: processMetrics });
  const policy = policyOf(config, { log, metrics });
  watch?.follow(config, metrics);
  const undo = new Undo();
  undo.push(
    () => installed.release(),
    () => policy.stop(),
    () => watch?.stop(),
  );
  try {
    const certificates = certificatesOf(config, { log, metrics, policy });
    undo.push(() => certificates?.stop());
    const health = new DiskHealth({
      stateDir: config.stateDir,
      role: "destination",
      log,
      metrics,
      disk: measuredDisk(realDisk, metrics.journal),
    });
    undo.push(() => health.close());
    const store = await openDestinationStore(config.stateDir, health.disk);
    health.onWritable = () => store.arrivals.removeRefused();
    undo.push(() => store.close());
    await takeHostName({ ...config, log, disk: health.disk });
    const audit = await AuditLog.open(config.stateDir, "destination");
    undo.push(() => audit.close());
    undo.push(watchAudit({ audit, role: "destination", log, metrics }));
    const traces = await openTraces(config, { agentId, log });
    undo.push(() => traces.close());
    const keeperPath = await installKeeper(config.runDir);
    const later = lookAtQemuLater(config);
    const qemu = later.qemu.then((found) => {
      tellBuild(metrics, {
        role: "destination",
        hostId: config.hostId,
        protocolVersion: PROTOCOL_VERSION,
        qemuVersions: [found.build.version],
      });
      return found;
    });
    qemu.catch(() => {}); // awaited below
    const host = {
      config,
      log,
      metrics,
      traces,
      store,
      audit,
      ports: new Ports(() => config.migration),
      keeperPath,
      tunnelSecurity: tunnelSecurity(certificates, policy),
      runAs: undefined, // what is found again runs already; what is admitted knows
    };
    const admission: Promise<AdmissionHost> = qemu.then((found) => ({
      ...host,
      ...admissionOf(found),
    }));
    admission.catch(() => {}); // told to whoever calls Prepare
    const arrivals = new Arrivals(host);
    undo.push(() => arrivals.close());
    const orphans = orphansOf(arrivals);
    undo.push(() => orphans.close());

    // While the server is put together: a guest may stand still until its migration is found again.
    const recovering = recover(arrivals);
    recovering.catch(() => {}); // awaited below
    undo.push(() => recovering.catch(() => {}));

    const draining = () => server.phase === "draining";
    const server = await serve({
      config,
      role: "destination",
      log,
      metrics,
      certificates,
      policy,
      services: SERVICES,
      add: (grpc, { unary, serverStream, bidi }) => {
        grpc.addService(DestinationServiceService, {
          prepare: prepareHandler({
            agentId,
            arrivals,
            log,
            host: admission,
            advertise: config.advertise ?? "",
            tie: (call, heartbeatMs) => tethers.tie(call, { heartbeatMs }),
            callerOf: (call) =>
              callerName(peerIdentity(call, config.plaintext ? undefined : policy.current)),
            draining,
          }),
          finish: unary(finishHandler(arrivals, agentId)),
        });
        grpc.addService(PeerServiceService, {
          meet: bidi(meetHandler(arrivals, agentId, config.timeouts.beatMs)),
          tunnel: elsewhere,
          probe: serverStream(probeHandler(host, agentId)),
        });
        const migrations = migrationHandlers(migrationsKnown(arrivals), agentId);
        grpc.addService(MigrationServiceService, {
          getMigration: unary(migrations.getMigration),
          listMigrations: unary(migrations.listMigrations),
          watchMigrations: serverStream(migrations.watchMigrations),
        });
        grpc.addService(AgentServiceService, {
          getInfo: unary(
            infoHandler({
              agentId,
              role: "destination",
              config,
              qemu,
              guests: () => arrivals.underWay().length,
              memoryFreeBytes: () => memoryFreeBytes(config, arrivals),
              draining,
            }),
          ),
          listOrphans: unary(orphansHandler(orphans, agentId)),
        });
      },
    });
    const tethers = new Tethers({ connections: server.listener.connections });
    undo.push(() => server.close(CALLS_GRACE_MS));
    const endpoint = await serveMetrics({
      listen: config.metricsListen,
      registry: metrics.registry,
      tls: config.metricsTls && certificates !== undefined ? { certificates, policy } : undefined,
      ready: () => server.phase === "serving",
      refresh: async () => {
        tellArrivals(arrivals, metrics, config.hostId);
        const silent = arrivals.underWay().filter(({ sourceSilent }) => sourceSilent);
        const budget = config.limits.incomingBandwidthBytesPerSecond;
        const allotted = bandwidthAllotted(budget, arrivals.underWay());
        metrics.bandwidth.budget.set({ direction: "in" }, budget ?? 0);
        metrics.bandwidth.allotted.set({ direction: "in" }, allotted);
        const used = bandwidthUsed(arrivals.underWay(), config.timeouts.meetStaleMs);
        metrics.bandwidth.used.set({ direction: "in" }, used);
        metrics.peerSilent.set({ role: "destination" }, silent.length);
        metrics.perished.set({ role: "destination" }, arrivals.perished().length);
      },
    });
    undo.push(() => endpoint.close());

    metrics.limits.add({
      arrivals_max: {
        max: () => config.limits.arrivalsMax,
        used: () => arrivals.underWay().length,
      },
      arrivals_per_caller_max: {
        max: () => config.limits.arrivalsPerCallerMax,
        used: () => mostPerCaller(arrivals.underWay().map(({ caller }) => caller)),
      },
      guests_max: {
        max: () => config.limits.guestsMax,
        used: async () => (await store.guestCount()) + arrivals.underWay().length,
      },
      endings_max: { max: () => config.limits.endingsMax, used: () => arrivals.endedCount },
      memory_reserve_bytes: { max: () => config.limits.memoryReserveBytes },
      ports: {
        max: () => host.ports.last - host.ports.first + 1,
        used: () => host.ports.last - host.ports.first + 1 - host.ports.free().length,
      },
    });
    await recovering;
    server.open();
    await orphans.sweepAtStart();
    later.now();
    undo.push(everyHour(() => installed.sweep(), log));
    undo.push(everyHour(() => arrivals.sweep(), log));
    await qemu.catch((error: unknown) => {
      // What is landing must still be settled.
      if (arrivals.underWay().length === 0) throw error;
      log.error({ err: error }, "arrivals go on, and none can be prepared");
    });
    return {
      port: server.port,
      metricsPort: endpoint.port,
      healthPort: server.healthPort,
      stop: async () => {
        server.drain();
        const empty = () => arrivals.underWay().length === 0;
        await arrivals.changes.until(empty, { withinMs: config.timeouts.drainMs });
        tethers.cutAll("shutdown");
        await arrivals.changes.until(empty, { withinMs: REAP_MS });
        await arrivals.tidied(); // a cause that was not written down would be lost with us
        await undo.all();
      },
    };
  } catch (error) {
    await undo.all().catch((also: unknown) => log.warn({ err: also }, "not undone"));
    throw error;
  }
}

/** A tunnel's bytes go to a process of their own, at the address that Meet tells. */
function elsewhere(call: { emit(event: "error", error: unknown): boolean }): void {
  call.emit(
    "error",
    toStatus(new Fault("UNSUPPORTED", "tunnels are served at the address Meet tells")),
  );
}

function admissionOf(qemu: QemuHere) {
  return {
    machineTypes: new Set(qemu.build.machineTypes),
    qemuVersion: qemu.build.version,
    runAs: qemu.runAs,
    kvmNow: () => qemu.kvmNow(),
    cpuProperties: (spec: { machineType: string; cpuModel: string }, accelerator: "kvm" | "tcg") =>
      qemu.cpuProperties(spec.machineType, spec.cpuModel, accelerator),
  };
}
