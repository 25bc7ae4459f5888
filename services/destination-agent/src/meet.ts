/*
 * Meet, the destination's side: the only place where a word about custody comes in. The source
 * dials, says who it is and which arrival it means, and restates its word on every beat; we answer
 * every message, every change and every beat with what we know. A word that names another arrival
 * is not heard: a destination that lost its disk and was prepared again under the same id would
 * truthfully say `returned` of the wrong guest.
 */
import {
  type BidiCall,
  checkMigrationId,
  dying,
  fromWireVerdict,
  type PeerIdentity,
  toWireTransport,
  toWireVerdict,
} from "@ferry/agent-kit";
import {
  Fault,
  type MeetRequest,
  type MeetResponse,
  SourceWord,
  Verdict as WireVerdict,
} from "@ferry/contract";
import type { Arrival } from "./arrival.js";
import type { Arrivals } from "./arrivals.js";
import { bandwidthOf } from "./bandwidth.js";
import { toWireCause } from "./cause.js";

/** How long a QEMU whose monitor closed may take to be reaped, before the source's word counts, in milliseconds. */
const DEATH_MS = 100;

/** Phases in which the source may still need to know where to send. */
const SENDING: ReadonlySet<string> = new Set(["prepared", "receiving", "receivingOrdered"]);
/** Phases in which the caller has ordered the guest to land. */
const ORDERED: ReadonlySet<string> = new Set([
  "receivingOrdered",
  "receivingDue",
  "loadedOrdered",
  "untying",
  "landing",
  "relanding",
]);

export type MeetCall = Pick<
  BidiCall<MeetRequest, MeetResponse>,
  "requests" | "peer" | "signal" | "traceparent" | "write"
>;

export function meetHandler(arrivals: Arrivals, agentId: string, beatMs: number) {
  const { meets } = arrivals.host.metrics;
  return async (call: MeetCall): Promise<void> => {
    let bound: { migrationId: string; sourceAgentId: string } | undefined;
    let said: MeetResponse | undefined;
    const restate = () => {
      if (bound === undefined) return;
      said = answer(arrivals, agentId, bound);
      call.write(said);
    };
    // Phases change fast while the guest stands still: only what is new to the source is told.
    const tell = () => {
      if (bound === undefined || isSame(answer(arrivals, agentId, bound), said)) return;
      restate();
    };
    const beat = setInterval(restate, beatMs);
    const hangUp = new AbortController();
    call.signal.addEventListener("abort", () => hangUp.abort(), { once: true });
    try {
      for await (const request of call.requests) {
        const migrationId = checkMigrationId(request.migrationId);
        if (bound === undefined) {
          checkPeer(call.peer, request.sourceAgentId);
          bound = { migrationId, sourceAgentId: request.sourceAgentId };
          meets.inc({ role: "destination" });
          void follow(arrivals, migrationId, tell, hangUp.signal);
        }
        if (migrationId !== bound.migrationId || request.sourceAgentId !== bound.sourceAgentId) {
          throw new Fault("ID_CONFLICT", "a Meet stream is about one migration of one source");
        }
        await listen(arrivals, request, call.traceparent);
        // A guest that was released stands still, and is not kept waiting by an answer: the next change
        // is told at once. Where none is to come, the answer is what it waits for.
        const changes = arrivals.live(migrationId)?.settled === false;
        if (request.word !== SourceWord.RELEASED || !changes) restate();
      }
    } finally {
      clearInterval(beat);
      hangUp.abort();
      if (bound !== undefined) meets.dec({ role: "destination" });
    }
  };
}

/** Whether the source would learn nothing new. An endpoint, once there, never changes but goes. */
function isSame(now: MeetResponse, said: MeetResponse | undefined): boolean {
  return (
    said !== undefined &&
    now.arrival === said.arrival &&
    now.verdict === said.verdict &&
    now.tethered === said.tethered &&
    now.ordered === said.ordered &&
    now.cause === said.cause &&
    now.reason === said.reason &&
    now.bandwidthBytesPerSecond === said.bandwidthBytesPerSecond &&
    (now.endpoint === undefined) === (said.endpoint === undefined)
  );
}

/** Tells the source at once when the arrival's phase changes. */
async function follow(
  arrivals: Arrivals,
  migrationId: string,
  tell: () => void,
  signal: AbortSignal,
): Promise<void> {
  const arrival = arrivals.live(migrationId);
  if (arrival === undefined) return;
  let seen = arrival.changes.version;
  while (!signal.aborted && !arrival.settled) {
    seen = await arrival.changes.after(seen, signal);
    if (!signal.aborted) tell();
  }
}

/** Hears one message: who means this arrival, and what the source says of custody. */
async function listen(
  arrivals: Arrivals,
  request: MeetRequest,
  traceparent: string | undefined,
): Promise<void> {
  checkParty(arrivals, request);
  const arrival = arrivals.live(request.migrationId);
  const number = request.arrival.toString();
  if (arrival !== undefined && !arrival.settled) {
    arrival.heardSource();
    arrival.tracedBySource(traceparent);
    arrival.bandwidthWanted = Number(request.bandwidthBytesPerSecond);
    arrival.bandwidthUsed = Number(request.transferBytesPerSecond);
    // A source that dials early learns where to send as soon as QEMU listens, and says then that it knows.
    if (request.arrival === 0n) {
      if (SENDING.has(arrival.phase)) await arrival.hear("met");
    } else if (number === arrival.record.arrival.arrival) await hearWord(arrival, request);
  }
  // One that this release never said acknowledges nothing.
  if (fromWireVerdict(request.acknowledged) !== undefined) {
    await arrivals.acknowledge(request.migrationId, number);
  }
}

/** An agent is heard, and told, about migrations it takes part in: under way or over. */
function checkParty(arrivals: Arrivals, { migrationId, guestId, sourceAgentId }: MeetRequest) {
  const known = arrivals.live(migrationId)?.view() ?? arrivals.ended(migrationId);
  if (known === undefined) return;
  if (known.peerAgentId === sourceAgentId && known.guestId === guestId) return;
  throw new Fault(
    "WRONG_PEER",
    `migration ${migrationId} was prepared for guest ${known.guestId} of ${known.peerAgentId}, not for ${guestId} of ${sourceAgentId}`,
  );
}

async function hearWord(arrival: Arrival, request: MeetRequest): Promise<void> {
  if (request.stoppedAtUs > 0n) arrival.stoppedAtUs = Number(request.stoppedAtUs);
  switch (request.word) {
    case SourceWord.RELEASED:
      await arrival.hear("released");
      break;
    case SourceWord.BEREFT:
      await arrival.hear("bereft");
      break;
    case SourceWord.RECALLED:
      // It may have seen our QEMU die before we did, and how that died says more than what came of it.
      if (arrival.qmp?.closed) await dying(arrival.keeper, DEATH_MS);
      await arrival.hear("recalled", {
        cause: "recalled",
        reason: "the source took the guest back",
      });
      break;
    default:
      // It only asks. A source that restarted in `performing` is met again already.
      await arrival.hear("met");
  }
}

/** What this destination says now. */
function answer(
  arrivals: Arrivals,
  agentId: string,
  { migrationId, sourceAgentId }: { migrationId: string; sourceAgentId: string },
): MeetResponse {
  const live = arrivals.live(migrationId);
  const view = live?.view() ?? arrivals.ended(migrationId);
  // Whoever was here before Prepare named its source is told nothing of it, the key least of all.
  if (view === undefined || view.peerAgentId !== sourceAgentId) {
    return {
      destinationAgentId: agentId,
      arrival: 0n,
      verdict: WireVerdict.UNSPECIFIED,
      tethered: false,
      ordered: false,
      endpoint: undefined,
      cause: toWireCause(undefined),
      reason: "",
      bandwidthBytesPerSecond: 0n,
    };
  }
  const endpoint = live?.endpoint;
  const budget = arrivals.host.config.limits.incomingBandwidthBytesPerSecond;
  const share = live && bandwidthOf(live, budget, arrivals.underWay());
  return {
    destinationAgentId: agentId,
    arrival: BigInt(view.arrival),
    verdict: toWireVerdict(view.verdict),
    tethered: view.tethered,
    ordered: ORDERED.has(view.phase),
    endpoint:
      endpoint !== undefined && SENDING.has(view.phase)
        ? { ...endpoint, transport: toWireTransport(view.transport) }
        : undefined,
    cause: toWireCause(view.cause),
    reason: view.reason,
    bandwidthBytesPerSecond: BigInt(share ?? 0),
  };
}

/** The certificate must be that of the host the source claims to be on. */
function checkPeer(peer: PeerIdentity, sourceAgentId: string): void {
  if (peer.kind === "plaintext") return; // an operator chose to trust the network
  if (sourceAgentId === `${peer.hostId}/source`) return;
  throw new Fault(
    "WRONG_PEER",
    `${peer.name} is not ${sourceAgentId}: the certificate is another host's`,
  );
}
