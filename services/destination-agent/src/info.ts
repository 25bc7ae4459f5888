import { type Config, checkAddressee, type QemuHere, toWireBuild, VERSION } from "@ferry/agent-kit";
import { type GetInfoRequest, type GetInfoResponse, Role } from "@ferry/contract";
import { memoryFreeBytes } from "./admission.js";
import type { Arrivals } from "./arrivals.js";

/** Version of the protocol between agents; agents with the same number can meet. */
export const PROTOCOL_VERSION = 1;

export interface InfoOptions {
  readonly agentId: string;
  readonly config: Config;
  readonly qemu: Promise<QemuHere>;
  readonly arrivals: Arrivals;
  draining(): boolean;
}

export function infoHandler({ agentId, config, qemu, arrivals, draining }: InfoOptions) {
  return async (request: GetInfoRequest): Promise<GetInfoResponse> => {
    checkAddressee(request, agentId);
    const free = await memoryFreeBytes(config, arrivals);
    return {
      agentId,
      hostId: config.hostId,
      role: Role.DESTINATION,
      version: VERSION,
      protocolVersion: PROTOCOL_VERSION,
      qemu: toWireBuild(config.qemu.binary, await qemu),
      limits: {
        arrivalsMax: config.limits.arrivalsMax,
        departuresMax: 0,
        memoryAvailableBytes: BigInt(Math.max(0, free)),
        portFirst: config.migration.portFirst,
        portLast: config.migration.portLast,
        keepaliveTimeMs: config.keepalive.timeMs,
        keepaliveTimeoutMs: config.keepalive.timeoutMs,
        messageBytesMax: config.limits.messageBytesMax,
        leaseMs: 0,
      },
      features: ["direct", "tunnel", ...(config.migration.allowPlain ? ["direct_plain"] : [])],
      guests: arrivals.underWay().length,
      draining: draining(),
    };
  };
}
