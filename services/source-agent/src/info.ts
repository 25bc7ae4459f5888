import { type Config, checkAddressee, type QemuHere, toWireBuild, VERSION } from "@ferry/agent-kit";
import { type GetInfoRequest, type GetInfoResponse, Role } from "@ferry/contract";
import type { Residents } from "./residents.js";

/** Version of the protocol between agents; agents with the same number can meet. */
export const PROTOCOL_VERSION = 1;

export interface InfoOptions {
  readonly agentId: string;
  readonly config: Config;
  readonly qemu: Promise<QemuHere>;
  readonly residents: Residents;
  draining(): boolean;
}

export function infoHandler({ agentId, config, qemu, residents, draining }: InfoOptions) {
  return async (request: GetInfoRequest): Promise<GetInfoResponse> => {
    checkAddressee(request, agentId);
    return {
      agentId,
      hostId: config.hostId,
      role: Role.SOURCE,
      version: VERSION,
      protocolVersion: PROTOCOL_VERSION,
      qemu: toWireBuild(config.qemu.binary, await qemu),
      limits: {
        arrivalsMax: 0,
        departuresMax: config.limits.departuresMax,
        memoryAvailableBytes: 0n,
        portFirst: 0,
        portLast: 0,
        keepaliveTimeMs: config.keepalive.timeMs,
        keepaliveTimeoutMs: config.keepalive.timeoutMs,
        messageBytesMax: config.limits.messageBytesMax,
        leaseMs: config.timeouts.leaseMs,
      },
      features: ["direct", "tunnel"],
      guests: (await residents.all()).length,
      draining: draining(),
    };
  };
}
