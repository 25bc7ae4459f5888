import {
  type Config,
  checkAddressee,
  limitsTold,
  type QemuHere,
  toWireBuild,
  VERSION,
} from "@ferry/agent-kit";
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
      limits: limitsTold(config, "source"),
      features: ["direct", "tunnel"],
      guests: (await residents.all()).length,
      draining: draining(),
    };
  };
}
