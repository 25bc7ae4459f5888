/* Whether a guest could move, without moving anything: every blocker of both ends. */
import { randomUUID } from "node:crypto";
import {
  type Blocker,
  DestinationServiceService,
  type GuestDescription,
  type PathAsked,
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
  /** Whether the source can really reach the destination. Undefined: the source agent is too old to try. */
  readonly path: Path | undefined;
}

/** The way between the two hosts, tried with real connections. */
export interface Path {
  /** "host:port" through which bytes went; empty if none did. */
  readonly address: string;
  readonly connectMs: number;
  readonly blockers: readonly Blocker[];
}

/** Throws what an agent refused to judge: a guest it does not know, a malformed request. */
export async function check(options: CheckOptions): Promise<CheckResult> {
  const { guestId, from, to, transport, network = "", timeoutMs = BOUNDS.prepareMs } = options;
  const migrationId = randomUUID();
  const begin = (path: PathAsked | undefined) =>
    from.source.unary(
      SourceServiceService.begin,
      { expectedAgentId: from.expected.source, migrationId, guestId, validateOnly: true, path },
      { timeoutMs },
    );
  const { description, blockers } = await begin(undefined);
  const about = { migrationId, description, transport, network };
  const there = await askAt(to, about, timeoutMs);
  const { path } = await begin({
    destinationAddress: there.peerAddress || to.destination.address,
    destinationAgentId: there.agentId,
    network,
  });
  return {
    description,
    source: blockers,
    destination: there.blockers,
    path: path && {
      address: path.address,
      connectMs: path.connectUs / 1000,
      blockers: path.blockers,
    },
  };
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
export async function validateAt(
  to: Host,
  about: Question,
  timeoutMs: number,
): Promise<readonly Blocker[]> {
  return (await askAt(to, about, timeoutMs)).blockers;
}

function askAt(to: Host, about: Question, timeoutMs: number): Promise<Validated> {
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

interface Validated {
  readonly agentId: string;
  readonly peerAddress: string;
  readonly blockers: readonly Blocker[];
}

function validate(agent: Agent, open: PrepareOpen, timeoutMs: number): Promise<Validated> {
  const call = agent.duplex(DestinationServiceService.prepare);
  const timer = setTimeout(() => call.cancel(), timeoutMs);
  return new Promise<Validated>((resolve, reject) => {
    call.on("data", ({ agentId, event }: PrepareResponse) => {
      if (event?.$case === "validated") resolve({ agentId, ...event.value });
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
