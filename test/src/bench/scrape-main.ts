/*
 * What a benchmark scrapes: both agents' metrics as the agents tell them, over stand-ins for 200 guests that
 * leave and 200 that arrive. In a process of its own, so that nobody else's work is measured.
 */
import { randomUUID } from "node:crypto";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { makeMetrics, serveMetrics, tellBuild } from "@ferry/agent-kit";
import { GuestState } from "@ferry/contract";
import { type Arriving, tellArrivals } from "@ferry/destination-agent";
import { type Told, tellGuests } from "@ferry/source-agent";

const GUESTS = 200;
/** How finely the event loop is looked at, in milliseconds. */
const RESOLUTION_MS = 1;

const COPY = {
  transferredBytes: 3_221_225_472,
  remainingBytes: 1_073_741_824,
  totalBytes: 4_294_967_296,
  dirtyBytesPerSecond: 104_857_600,
  transferBytesPerSecond: 1_073_741_824,
  bestRemainingBytes: 1_073_741_824,
  iteration: 3,
  ratio: 0.7512,
  etaMs: 1_108,
  expectedDowntimeMs: 312,
  convergence: "progressing",
} as const;

export interface Ports {
  readonly source: number;
  readonly destination: number;
}

const names = Array.from({ length: GUESTS }, (_, index) => `guest-${index}`);
const hostId = "host-1";

async function source(): Promise<number> {
  const metrics = makeMetrics({ role: "source" });
  for (const guestId of names) {
    const migrationId = randomUUID();
    metrics.series.begin({ migrationId, guestId, startedAt: new Date() }, () => ({
      copy: COPY,
      downtimeLimitMs: 300,
      meetConnected: true,
    }));
    for (const phase of ["begun", "meeting", "performing"]) {
      metrics.series.moved(migrationId, phase);
    }
  }
  const state = GuestState.RUNNING;
  const guests = names.map((guestId) => ({ guestId, state, dead: false }));
  const leaving = guests.map(({ guestId }) => ({
    guestId,
    holdsCustody: true,
    meetConnected: true,
  }));
  const told: Told = {
    residents: { list: () => guests },
    departures: { underWay: () => leaving },
    metrics,
    hostId,
  };
  const it = { role: "source", hostId, protocolVersion: 1, qemuVersions: ["7.2.22"] } as const;
  return listen(metrics, () => {
    tellGuests(told);
    tellBuild(metrics, it);
  });
}

async function destination(): Promise<number> {
  const metrics = makeMetrics({ role: "destination" });
  for (const guestId of names) {
    const migrationId = randomUUID();
    metrics.series.begin({ migrationId, guestId, startedAt: new Date() }, () => ({}));
    for (const phase of ["preparing", "prepared", "receiving"]) {
      metrics.series.moved(migrationId, phase);
    }
  }
  const phase = "receiving" as const;
  const arriving = names.map((guestId) => ({ guestId, phase, tethered: true }));
  const arrivals: Arriving = { underWay: () => arriving };
  return listen(metrics, () => tellArrivals(arrivals, metrics, hostId));
}

async function listen(
  { registry }: ReturnType<typeof makeMetrics>,
  refresh: () => void,
): Promise<number> {
  const endpoint = await serveMetrics({
    listen: "127.0.0.1:0",
    registry,
    ready: () => true,
    refresh: async () => refresh(),
  });
  return endpoint.port;
}

const ports: Ports = { source: await source(), destination: await destination() };
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delay.enable();
// Any word asks for the longest stretch since the last one.
process.on("message", () => {
  process.send?.({ blockedMs: Math.max(0, delay.max / 1e6 - RESOLUTION_MS) });
  delay.reset();
});
process.on("disconnect", () => process.exit(0));
process.send?.(ports);
