/*
 * Probe: listens for a moment where an arriving guest's memory would come in, for one source agent that
 * wants to know whether it could get there. The port is reserved all the while and for a while longer:
 * a packet of the probe that comes late must not find a QEMU there, whose monitor would freeze.
 */
import { randomBytes } from "node:crypto";
import { checkProbeNetwork, listenForProbe, type ProbeListener, within } from "@ferry/agent-kit";
import { Fault, type ProbeRequest, type ProbeResponse } from "@ferry/contract";
import type { Host } from "./host.js";
import { placeFor } from "./networks.js";

/** A source that says nothing more is not waited for any longer, in milliseconds. */
const OPEN_MS = 10_000;
/** How long the end of a connection may be heard after it was ended, in milliseconds. */
const CLOSING_MS = 100;
/** A port that was listened on in vain stays reserved for as long as a late packet may be under way. */
const QUIET_MS = 5_000;

type ProbeHost = Pick<Host, "config" | "metrics" | "ports">;

export function probeHandler(host: ProbeHost, agentId: string) {
  let open = 0;
  host.metrics.limits.add({
    probes_max: { max: () => host.config.limits.probesMax, used: () => open },
  });
  return async function* (
    request: ProbeRequest,
    { signal }: { signal: AbortSignal },
  ): AsyncGenerator<ProbeResponse> {
    const { probesMax } = host.config.limits;
    if (open >= probesMax) {
      host.metrics.limits.refused("probes_max");
      throw new Fault("NO_SLOT", `as many paths as this host probes at once (${probesMax})`, {
        retryAfterMs: 2_000,
      });
    }
    open += 1;
    try {
      yield* probe(request, { host, agentId, signal });
    } finally {
      open -= 1;
    }
  };
}

async function* probe(
  request: ProbeRequest,
  { host, agentId, signal }: { host: ProbeHost; agentId: string; signal: AbortSignal },
): AsyncGenerator<ProbeResponse> {
  const network = checkProbeNetwork(request.network);
  const place = placeFor(network, host.config.migration);
  if ("reason" in place) throw unfit(place.reason, network || "default", place.description);
  const token = randomBytes(32).toString("hex");
  const { port, listener } = await listen(host, place.listenHost, token);
  const exchanged = listener.exchanged.then(() => true);
  try {
    yield { destinationAgentId: agentId, host: place.advertiseHost, port, token };
    await hungUp(AbortSignal.any([signal, AbortSignal.timeout(OPEN_MS)]));
  } finally {
    listener.close();
    // Whoever has everything hangs up at once, and its connection's end may be heard after its call's.
    if (await within(CLOSING_MS, exchanged)) host.ports.giveBack(port);
    else setTimeout(() => host.ports.giveBack(port), QUIET_MS).unref();
  }
}

async function listen(
  { ports }: ProbeHost,
  listenHost: string,
  token: string,
): Promise<{ port: number; listener: ProbeListener }> {
  for (const port of ports.free()) {
    ports.take(port);
    try {
      return { port, listener: await listenForProbe(listenHost, port, token) };
    } catch (error) {
      ports.giveBack(port);
      const { code, message } = error as NodeJS.ErrnoException; // `listen` rejects with these
      if (code === "EADDRINUSE") continue;
      throw unfit("NETWORK_DOWN", listenHost, `cannot listen there: ${message}`);
    }
  }
  throw new Fault("NO_PORT", "every port for incoming migrations is in use");
}

function unfit(reason: string, subject: string, description: string): Fault {
  return new Fault("HOST_UNFIT", description, { blockers: [{ reason, subject, description }] });
}

function hungUp(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
