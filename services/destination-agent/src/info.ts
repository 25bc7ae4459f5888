import {
  type Config,
  checkAddressee,
  limitsTold,
  type QemuHere,
  toWireBuild,
  VERSION,
} from "@ferry/agent-kit";
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
        ...limitsTold(config, "destination"),
        memoryAvailableBytes: BigInt(Math.max(0, free)),
      },
      features: ["direct", "tunnel", ...(config.migration.allowPlain ? ["direct_plain"] : [])],
      guests: arrivals.underWay().length,
      draining: draining(),
    };
  };
}
