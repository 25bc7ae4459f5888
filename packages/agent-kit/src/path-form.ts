/* How a way to a destination is written, wherever a caller gives one. */
import { isAddress, splitAddress } from "./config.js";
import { invalid, quote } from "./wire.js";

const AGENT_ID = /^[a-z0-9.-]{1,64}\/destination$/;
const NETWORK_CHARACTERS_MAX = 64;

/** Refuses an address or an agent id that cannot be one. */
export function checkAddress<
  Aim extends { readonly destinationAddress: string; readonly destinationAgentId: string },
>(aim: Aim): Aim {
  const { destinationAddress } = aim;
  if (!isAddress(destinationAddress) || splitAddress(destinationAddress).port === 0) {
    throw invalid(
      "destination_address",
      `"host:port" or "[ipv6]:port" is wanted, with nothing before it, not ${quote(destinationAddress)}`,
    );
  }
  if (!AGENT_ID.test(aim.destinationAgentId)) {
    throw invalid("destination_agent_id", 'the agent_id that Prepare answered, "HOST/destination"');
  }
  return aim;
}

/** Refuses what cannot be the name or the address of a network. */
export function checkProbeNetwork(network: string): string {
  if (network.length <= NETWORK_CHARACTERS_MAX) return network;
  throw invalid("network", `a name or an address, at most ${NETWORK_CHARACTERS_MAX} characters`);
}
