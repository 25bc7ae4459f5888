/*
 * Calls that only the other agent of a host serves. Two agents with two ports are easily swapped, and
 * gRPC's own answer to that is an UNIMPLEMENTED that no agent said, so it reads as silence and is
 * repeated. Here it is said in words which agent was dialled and which was meant. Reflection and health
 * list none of it, and a method that the contract does not know stays UNIMPLEMENTED.
 */
import {
  DestinationServiceService,
  Fault,
  GuestServiceService,
  PeerServiceService,
  SourceServiceService,
} from "@ferry/contract";
import type { Server, ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";
import { type AgentRole, agentIdOf, type Config, usualPort } from "./config.js";
import type { adapters } from "./server.js";

/** Which agent serves what the other does not. */
const SERVED_BY: Readonly<Record<AgentRole, readonly ServiceDefinition[]>> = {
  source: [SourceServiceService, GuestServiceService],
  destination: [DestinationServiceService, PeerServiceService],
};

const OTHER: Readonly<Record<AgentRole, AgentRole>> = {
  source: "destination",
  destination: "source",
};

/** Adds, to the server of the agent of `role`, an answer to every call that is the other agent's. */
export function refuseOthersCalls(
  server: Server,
  role: AgentRole,
  { hostId }: Pick<Config, "hostId">,
  { unary, serverStream, bidi }: ReturnType<typeof adapters>,
): void {
  const wanted = OTHER[role];
  const [here, there] = [agentIdOf(hostId, role), agentIdOf(hostId, wanted)];
  for (const service of SERVED_BY[wanted]) {
    const handlers: UntypedServiceImplementation = {};
    for (const [name, { path, requestStream, responseStream }] of Object.entries(service)) {
      const refuse = (): Error =>
        new Fault(
          "WRONG_HOST",
          `this is ${here}, a ${role} agent, and ${path.slice(1)} is a ${wanted} agent's call: dial ${there}, or the ${wanted} agent you meant (its port is ${usualPort(wanted)} unless its host's configuration says otherwise)`,
          { metadata: { agent_id: here, wanted_role: wanted, wanted_agent_id: there } },
        );
      if (requestStream) handlers[name] = bidi(() => Promise.reject(refuse()));
      else if (responseStream) handlers[name] = serverStream(() => refusing(refuse));
      else handlers[name] = unary(() => Promise.reject(refuse()));
    }
    server.addService(service, handlers);
  }
}

// biome-ignore lint/correctness/useYield: it ends before its first answer
async function* refusing(refuse: () => Error): AsyncGenerator<never> {
  throw refuse();
}
