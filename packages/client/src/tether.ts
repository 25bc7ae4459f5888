/*
 * The caller's end of a tether: a Prepare stream that is held open until the guest has landed. It is
 * never half-closed and has no deadline; `cut` ends it, and so does this process.
 */
import {
  DestinationServiceService,
  type PrepareOpen,
  type PreparePrepared,
  type PrepareResponse,
} from "@ferry/contract";
import { status } from "@grpc/grpc-js";
import type { Agent, CallOptions } from "./agent.js";

/** Who hears what the stream says. */
export interface TetherListener {
  /** The guest was admitted; an older agent does not tell. */
  accepted(peerAddress: string, agentId: string): void;
  prepared(event: PreparePrepared, agentId: string): void;
  /** The arrival's phase; undefined: only a beat. */
  news(phase: string | undefined): void;
  landed(): void;
  /** Once, last. Undefined: it ended with status OK. */
  ended(error: Error | undefined): void;
}

export interface Tether {
  /** Hangs up. A guest that has not landed dies. */
  cut(): void;
}

export function openTether(
  agent: Agent,
  open: PrepareOpen,
  listener: TetherListener,
  options: Pick<CallOptions, "traceparent"> = {},
): Tether {
  const call = agent.duplex(DestinationServiceService.prepare, options);
  let heartbeats: NodeJS.Timeout | undefined;
  let over = false;
  const end = (error: Error | undefined) => {
    if (over) return;
    over = true;
    clearInterval(heartbeats);
    listener.ended(error);
  };
  call.on("data", (response: PrepareResponse) => tell(response, listener));
  call.on("error", end);
  // The status is there before `end` is, and `end` comes after the last message.
  let code: number | undefined;
  call.on("status", (ended: { code: number }) => {
    code = ended.code;
  });
  call.on("end", () => {
    if (code === status.OK) end(undefined);
  });
  call.write({ message: { $case: "open", value: open } });
  if (open.heartbeatIntervalMs > 0) {
    const beat = () => call.write({ message: { $case: "heartbeat", value: {} } });
    heartbeats = setInterval(beat, open.heartbeatIntervalMs);
  }
  return { cut: () => call.cancel() };
}

function tell({ agentId, event }: PrepareResponse, listener: TetherListener): void {
  switch (event?.$case) {
    case "accepted":
      listener.accepted(event.value.peerAddress, agentId);
      return;
    case "prepared":
      listener.prepared(event.value, agentId);
      return;
    case "phase":
      listener.news(event.value.phase);
      return;
    case "landed":
      listener.landed();
      return;
    default:
      listener.news(undefined);
  }
}
