/*
 * What every call passes before its handler hears of it: an agent that is still finding its guests
 * says so, a deadline nobody could keep is refused in words, and so is a caller without the role.
 */
import { Fault, toStatus } from "@ferry/contract";
import { checkDeadline } from "@ferry/tether";
import { type Metadata, ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import { type Authenticated, type PeerIdentity, requireCall } from "./identity.js";

/** How far an agent is: only `serving` takes calls, only `draining` refuses new work by itself. */
export type AgentPhase = "starting" | "serving" | "draining";

const FERRY = "/ferry.v1.";

export interface DoorOptions {
  who(call: Authenticated, metadata: Metadata): PeerIdentity;
  phase(): AgentPhase;
}

/** Put it after (outside) interceptors that count, so that refusals are counted too. */
export function door({ who, phase }: DoorOptions): ServerInterceptor {
  return ({ path }, call) => {
    // Health and reflection answer anybody with a certificate, always.
    if (!path.startsWith(FERRY)) return new ServerInterceptingCall(call);
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, enter) => {
            try {
              checkDeadline({ metadata });
              requireCall(who(call, metadata), path);
              if (phase() === "starting") {
                throw new Fault("STARTING", "this agent is still finding its guests");
              }
            } catch (error) {
              call.sendStatus(toStatus(error));
              return;
            }
            enter(metadata);
          },
        }),
    });
  };
}
