/*
 * Could this host reach that destination? Asked of Begin(validate_only): the destination agent is called
 * as Meet would call it, listens where memory would come in, and is really connected to. What it finds is
 * blockers with their evidence; nothing is left behind, at either end.
 */
import { checkAddress, dialProbe } from "@ferry/agent-kit";
import {
  type Blocker,
  type BlockerReason,
  type PathAsked,
  type PathFound,
  type ProbeResponse,
  readFault,
} from "@ferry/contract";
import { status } from "@grpc/grpc-js";
import type { Departures } from "./departures.js";

/** How long the destination agent may take to answer, in milliseconds. */
const PEER_MS = 5_000;

export async function findPath(
  asked: PathAsked,
  host: Pick<Departures["host"], "dialPeerAnew" | "hostOf">,
): Promise<PathFound> {
  const { destinationAddress, destinationAgentId } = checkAddress(asked);
  const client = host.dialPeerAnew(destinationAddress, destinationAgentId);
  const call = client.probe({ network: asked.network }, { deadline: Date.now() + 3 * PEER_MS });
  try {
    const answer = await first(call);
    if (!("port" in answer)) return peerTrouble(answer, destinationAddress);
    const there = answer.host || host.hostOf(destinationAddress);
    const address = there.includes(":") ? `[${there}]:${answer.port}` : `${there}:${answer.port}`;
    const result = await dialProbe(there, answer.port, answer.token);
    if ("connectUs" in result) return { address, connectUs: result.connectUs, blockers: [] };
    const description = `memory could not travel from here to ${address}: ${result.blocked}`;
    return found(blocker("PATH_BLOCKED", address, description));
  } finally {
    call.cancel();
    client.close();
  }
}

type Call = ReturnType<ReturnType<Departures["host"]["dialPeerAnew"]>["probe"]>;

/** The first answer, or why there is none. */
function first(call: Call): Promise<ProbeResponse | Error> {
  return new Promise((resolve) => {
    const timer = setTimeout(
      () => resolve(new Error(`no answer within ${PEER_MS / 1000} s (ETIMEDOUT)`)),
      PEER_MS,
    );
    const end = (answer: ProbeResponse | Error) => {
      clearTimeout(timer);
      resolve(answer);
    };
    call.once("data", end);
    call.once("end", () => end(new Error("it hung up")));
    call.on("error", end); // also after the first: cancelled, it says so
  });
}

function peerTrouble(error: Error, address: string): PathFound {
  const fault = readFault(error);
  if (fault !== undefined) {
    const words = { reason: fault.reason, subject: address, description: fault.message };
    return found(...(fault.blockers.length > 0 ? fault.blockers : [words]));
  }
  // An older agent knows of no probes: nothing is proved, and nothing stands in the way.
  if ((error as { code?: unknown }).code === status.UNIMPLEMENTED) return found();
  return found(
    blocker(
      "PEER_UNREACHABLE",
      address,
      `the destination agent cannot be reached from here at ${address}: ${error.message}`,
    ),
  );
}

function found(...blockers: Blocker[]): PathFound {
  return { address: "", connectUs: 0, blockers };
}

function blocker(reason: BlockerReason, subject: string, description: string): Blocker {
  return { reason, subject, description };
}
