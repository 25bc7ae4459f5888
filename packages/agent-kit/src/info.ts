/* GetInfo: what an agent is, what it can do, and how much of that at once. */
import { type GetInfoRequest, type GetInfoResponse, Role } from "@ferry/contract";
import type { AgentRole, Config } from "./config.js";
import { limitsTold } from "./limits-told.js";
import { type QemuHere, toWireBuild } from "./qemu-here.js";
import { checkAddressee } from "./server.js";
import { PROTOCOL_VERSION, VERSION } from "./version.js";

export interface InfoOptions {
  readonly agentId: string;
  readonly role: AgentRole;
  /** Asked at every call, since it may change. */
  readonly config: Config;
  /** The answer waits for it. */
  readonly qemu: Promise<QemuHere>;
  /** Guests that live here, or are arriving. */
  guests(): number | Promise<number>;
  /** What arriving guests may still claim, in bytes; negative: less than nothing. Undefined: none arrive here. */
  memoryFreeBytes?(): Promise<number>;
  draining(): boolean;
}

export function infoHandler(options: InfoOptions) {
  const { agentId, role, config, qemu, guests, memoryFreeBytes, draining } = options;
  return async (request: GetInfoRequest): Promise<GetInfoResponse> => {
    checkAddressee(request, agentId);
    const free = (await memoryFreeBytes?.()) ?? 0;
    const here = await qemu;
    void here.kvmNow(); // for the next one who asks: trying takes a while where KVM is broken
    return {
      agentId,
      hostId: config.hostId,
      role: role === "source" ? Role.SOURCE : Role.DESTINATION,
      version: VERSION,
      protocolVersion: PROTOCOL_VERSION,
      qemu: toWireBuild(config.qemu.binary, here),
      limits: { ...limitsTold(config, role), memoryAvailableBytes: BigInt(Math.max(0, free)) },
      features: featuresOf(config, role),
      guests: await guests(),
      draining: draining(),
    };
  };
}

/** It is the destination that says whether memory may come in as it is. */
function featuresOf({ migration }: Config, role: AgentRole): string[] {
  const plain = role === "destination" && migration.allowPlain;
  return ["direct", "tunnel", ...(plain ? ["direct_plain"] : [])];
}
