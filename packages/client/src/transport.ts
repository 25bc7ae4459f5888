import { Transport as WireTransport } from "@ferry/contract";

/** How memory travels: QEMU to QEMU encrypted, between the agents, or QEMU to QEMU in the clear. */
export type Transport = "direct" | "tunnel" | "direct_plain";

export const TRANSPORTS: readonly Transport[] = ["direct", "tunnel", "direct_plain"];

const WIRE: Readonly<Record<Transport, WireTransport>> = {
  direct: WireTransport.DIRECT,
  tunnel: WireTransport.TUNNEL,
  direct_plain: WireTransport.DIRECT_PLAIN,
};

/** Undefined: the destination's default, which is direct. */
export function toWireTransport(transport: Transport | undefined): WireTransport {
  return transport === undefined ? WireTransport.UNSPECIFIED : WIRE[transport];
}
