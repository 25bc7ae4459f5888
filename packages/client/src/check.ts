/* Whether a guest could move, without moving anything: every blocker of both ends. */
import { randomUUID } from "node:crypto";
import {
  type Blocker,
  DestinationServiceService,
  type GuestDescription,
  type PrepareOpen,
  type PrepareResponse,
  SourceServiceService,
} from "@ferry/contract";
import type { Agent } from "./agent.js";
import { BOUNDS } from "./bounds.js";
import type { Host } from "./host.js";
import { type Transport, toWireTransport } from "./transport.js";

export interface CheckOptions {
  readonly guestId: string;
  readonly from: Host;
  readonly to: Host;
  readonly transport?: Transport | undefined;
  /** As in MigrateOptions. */
  readonly network?: string | undefined;
  readonly timeoutMs?: number;
}

export interface CheckResult {
  readonly description: GuestDescription | undefined;
  readonly source: readonly Blocker[];
  readonly destination: readonly Blocker[];
}

/** Throws what an agent refused to judge: a guest it does not know, a malformed request. */
export async function check(options: CheckOptions): Promise<CheckResult> {
  const { guestId, from, to, transport, network = "", timeoutMs = BOUNDS.prepareMs } = options;
  const migrationId = randomUUID();
  const { description, blockers } = await from.source.unary(
    SourceServiceService.begin,
    { expectedAgentId: from.expected.source, migrationId, guestId, validateOnly: true },
    { timeoutMs },
  );
  const about = { migrationId, description, transport, network };
  const destination = await validateAt(to, about, timeoutMs);
  return { description, source: blockers, destination };
}

/** What a guest is asked about with: as Begin described it. */
export interface Question {
  readonly migrationId: string;
  readonly description: GuestDescription | undefined;
  readonly transport: Transport | undefined;
  /** Empty: the destination's default. */
  readonly network: string;
}

/** Everything that stands in a guest's way at a host; nothing is prepared there. */
export function validateAt(to: Host, about: Question, timeoutMs: number): Promise<Blocker[]> {
  const { migrationId, description, transport, network } = about;
  const open = {
    expectedAgentId: to.expected.destination,
    migrationId,
    description,
    transport: toWireTransport(transport),
    heartbeatIntervalMs: 0,
    validateOnly: true,
    network,
  };
  return validate(to.destination, open, timeoutMs);
}

function validate(agent: Agent, open: PrepareOpen, timeoutMs: number): Promise<Blocker[]> {
  const call = agent.duplex(DestinationServiceService.prepare);
  const timer = setTimeout(() => call.cancel(), timeoutMs);
  return new Promise<Blocker[]>((resolve, reject) => {
    call.on("data", ({ event }: PrepareResponse) => {
      if (event?.$case === "validated") resolve(event.value.blockers);
    });
    call.on("error", reject);
    call.on("end", () => {
      reject(new Error(`${agent.address} ended Prepare without an answer`)); // no effect after one
    });
    call.write({ message: { $case: "open", value: open } });
  }).finally(() => {
    clearTimeout(timer);
    call.end();
  });
}
