/*
 * The source agent, put together. It answers STARTING from its first moment, finds its guests and
 * the migrations that were under way, and then takes calls. What nobody owns is swept, and QEMU of this
 * host is asked what it can do, meanwhile: only Start and GetInfo wait for both.
 */
import {
  agentIdOf,
  bundledQemu,
  type Config,
  type ConfigWatch,
  certificatesOf,
  DiskHealth,
  everyHour,
  fromWireTransport,
  infoHandler,
  type Logger,
  lookAtQemuLater,
  makeMetrics,
  measuredDisk,
  migrationHandlers,
  mostPerCaller,
  openTraces,
  orphansHandler,
  PeerLines,
  PROTOCOL_VERSION,
  peerDialer,
  policyOf,
  type RunningAgent,
  serve,
  serveMetrics,
  splitAddress,
  takeHostName,
  tellBuild,
  tunnelSecurity,
  Undo,
  watchAudit,
} from "@ferry/agent-kit";
import {
  AgentServiceService,
  GuestServiceService,
  MigrationServiceService,
  SourceServiceService,
} from "@ferry/contract";
import { installKeeper } from "@ferry/qemu";
import { AuditLog, realDisk } from "@ferry/store";
import { abortHandler } from "./abort.js";
import { beginHandler } from "./begin.js";
import { confirmHandler } from "./confirm.js";
import { Departures } from "./departures.js";
import { pauseHandler, resumeHandler } from "./guests/pause.js";
import { getHandler, listHandler, watchHandler } from "./guests/read.js";
import { startHandler } from "./guests/start.js";
import { stopHandler } from "./guests/stop.js";
import { migrationsKnown } from "./migrations.js";
import { orphansOf } from "./orphans.js";
import { performHandler } from "./perform.js";
import { recover } from "./recover.js";
import type { Resident } from "./resident.js";
import { Residents } from "./residents.js";
import { openSourceStore } from "./store.js";
import { tellGuests } from "./told.js";

const SERVICES = ["SourceService", "GuestService", "MigrationService", "AgentService"].map(
  (name) => `ferry.v1.${name}`,
);
/** Calls that are under way when the agent ends may take this long, in milliseconds. */
const CALLS_GRACE_MS = 250;
/** What has just ended is put away before this agent ends, or by its successor, in milliseconds. */
const TIDY_MS = 2_000;

/** Starts it. Rejects, with everything undone, if it cannot. */
export async function startSourceAgent(
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
  const agentId = agentIdOf(config.hostId, "source");
  const metrics = makeMetrics({ role: "source", process: processMetrics });
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
      role: "source",
      log,
      metrics,
      disk: measuredDisk(realDisk, metrics.journal),
    });
    undo.push(() => health.close());
    const store = await openSourceStore(config.stateDir, health.disk);
    health.onWritable = () => store.departures.removeRefused();
    undo.push(() => store.close());
    await takeHostName({ ...config, log, disk: health.disk });
    const audit = await AuditLog.open(config.stateDir, "source");
    undo.push(() => audit.close());
    undo.push(watchAudit({ audit, role: "source", log, metrics }));
    const traces = await openTraces(config, { agentId, log });
    undo.push(() => traces.close());
    const keeperPath = await installKeeper(config.runDir);
    const { qemu, now: lookNow } = lookAtQemuLater(config);
    let qemuVersion = "";
    qemu.then(
      ({ build }) => {
        qemuVersion = build.version;
      },
      () => {}, // awaited below
    );
    const peers = new PeerLines(peerDialer(config, certificates, policy));
    undo.push(() => peers.close());
    const residents = new Residents({ config, log, metrics, store });
    const departures = new Departures(departuresHost(), residents);
    const orphans = orphansOf({ config, log, metrics, audit, residents });
    undo.push(() => orphans.close());
    undo.push(() => {
      departures.close();
      residents.close();
    });

    // While the server is put together: a guest may stand still until its migration is found again.
    const recovering = recover(residents, departures);
    recovering.catch(() => {}); // awaited below
    undo.push(() => recovering.catch(() => {}));

    const draining = () => server.phase === "draining";
    const server = await serve({
      config,
      role: "source",
      log,
      metrics,
      certificates,
      policy,
      services: SERVICES,
      add: (grpc, { unary, serverStream }) => {
        const guests = { agentId, residents, departures };
        grpc.addService(SourceServiceService, {
          begin: unary(beginHandler({ ...guests, hostId: config.hostId, draining })),
          perform: serverStream(performHandler(guests)),
          confirm: unary(confirmHandler(departures, agentId)),
          abort: unary(abortHandler(departures, agentId)),
        });
        grpc.addService(GuestServiceService, {
          start: unary(startHandler({ ...guests, qemu, keeperPath, draining })),
          stop: unary(stopHandler(guests)),
          pause: unary(pauseHandler(guests)),
          resume: unary(resumeHandler(guests)),
          get: unary(getHandler(residents, agentId)),
          list: unary(listHandler(residents, agentId)),
          watch: serverStream(watchHandler(residents, agentId)),
        });
        const migrations = migrationHandlers(migrationsKnown(departures), agentId);
        grpc.addService(MigrationServiceService, {
          getMigration: unary(migrations.getMigration),
          listMigrations: unary(migrations.listMigrations),
          watchMigrations: serverStream(migrations.watchMigrations),
        });
        grpc.addService(AgentServiceService, {
          getInfo: unary(
            infoHandler({
              agentId,
              role: "source",
              config,
              qemu,
              guests: async () => (await residents.all()).length,
              draining,
            }),
          ),
          listOrphans: unary(orphansHandler(orphans, agentId)),
        });
      },
    });
    undo.push(() => server.close(CALLS_GRACE_MS));
    const endpoint = await serveMetrics({
      listen: config.metricsListen,
      registry: metrics.registry,
      tls: config.metricsTls && certificates !== undefined ? { certificates, policy } : undefined,
      ready: () => server.phase === "serving",
      refresh: async () => {
        const underWay = departures.underWay();
        const silent = underWay.filter(({ destinationSilent }) => destinationSilent);
        const { allottedBytes, usedBytes } = departures.bandwidth.now;
        const direction = "out" as const;
        metrics.bandwidth.budget.set({ direction }, config.limits.bandwidthBytesPerSecond ?? 0);
        metrics.bandwidth.allotted.set({ direction }, allottedBytes);
        metrics.bandwidth.used.set({ direction }, usedBytes);
        metrics.peerSilent.set({ role: "source" }, silent.length);
        metrics.perished.set({ role: "source" }, underWay.filter((each) => each.undecided).length);
        tellGuests({ residents, departures, metrics, hostId: config.hostId });
        tellBuild(metrics, {
          role: "source",
          hostId: config.hostId,
          protocolVersion: PROTOCOL_VERSION,
          qemuVersions: [qemuVersion, ...residents.list().map(qemuVersionOf)],
        });
      },
    });
    undo.push(() => endpoint.close());
    metrics.limits.add({
      departures_max: {
        max: () => config.limits.departuresMax,
        used: () => departures.underWay().length,
      },
      departures_per_caller_max: {
        max: () => config.limits.departuresPerCallerMax,
        used: () => mostPerCaller(departures.underWay().map(({ caller }) => caller)),
      },
      guests_max: { max: () => config.limits.guestsMax, used: () => residents.list().length },
      endings_max: { max: () => config.limits.endingsMax, used: () => departures.endedCount },
    });
    void departures.bandwidth.follow();
    watch?.onChange(() => void departures.bandwidth.divideAnew());

    await recovering;
    residents.watchDisk();
    server.open();
    await orphans.sweepAtStart();
    lookNow();
    undo.push(everyHour(() => installed.sweep(), log));
    undo.push(everyHour(() => departures.sweep(), log));
    await qemu.catch((error: unknown) => {
      // Guests that live here must still be able to leave.
      if (residents.list().length === 0) throw error;
      log.error({ err: error }, "guests here go on, and none can be started");
    });
    return {
      port: server.port,
      metricsPort: endpoint.port,
      healthPort: server.healthPort,
      stop: async () => {
        server.drain();
        // A direct copy goes on without us; a tunnelled one would fail, so it may end first.
        const tunnels = () => departures.underWay().some(({ tunnel }) => tunnel !== undefined);
        await departures.changes.until(() => !tunnels(), { withinMs: config.timeouts.drainMs });
        await departures.changes.until(() => departures.tidied, { withinMs: TIDY_MS });
        await undo.all();
      },
    };

    function departuresHost() {
      return {
        config,
        agentId,
        log,
        metrics,
        traces,
        store,
        audit,
        dialPeer: (address: string, peerId: string) => peers.open(address, peerId),
        dialPeerAnew: (address: string, id: string) => peers.dial(address, id),
        tunnelSecurity: tunnelSecurity(certificates, policy),
        hostOf: (address: string) => splitAddress(address).host,
        transportOf: fromWireTransport,
      };
    }
  } catch (error) {
    await undo.all().catch((also: unknown) => log.warn({ err: also }, "not undone"));
    throw error;
  }
}

function qemuVersionOf({ record }: Resident): string {
  return record.guest.qemuVersion;
}
