/*
 * A caller that has nothing to do with the migration and floods an agent: node flood-main.js KIND ROLE
 * ADDRESS MIGRATION_ID. It begins when its parent says so, and goes on until it is killed, or its parent is gone.
 */
import { once } from "node:events";
import { connect } from "node:http2";
import { setTimeout as pass } from "node:timers/promises";
import { Agent } from "@ferry/client";
import {
  AgentServiceService,
  DestinationServiceService,
  MigrationServiceService,
  Transport,
} from "@ferry/contract";
import { credentials } from "@grpc/grpc-js";
import type { FloodKind, FromFlooder } from "./flood.js";

/** At once, each on a connection of its own. So many that the agent is never idle, and few enough for a machine with two processors. */
const LOOPS = 4;
/** Fewer than cut a tether of its own. */
const HEARTBEATS = 500;
/** On their way at once, on each connection. */
const PINGS = 16;
/** How many rounds it does before it says that it floods. */
const ROUNDS_FIRST = 20;
/** A host that is gone answers nothing, and then knocking at it, for this time in milliseconds, is all there is to do. */
const UNHEARD_MS = 5_000;
/** An agent that does not let it in is dialled again after this time, in milliseconds. */
const AGAIN_MS = 20;

const [kind, role, address = "", migrationId = ""] = process.argv.slice(2);
const ROUNDS: Record<FloodKind, () => () => Promise<unknown>> = { calls, streams, pings };
let rounds = 0;

process.on("disconnect", () => process.exit(0));
const start = ROUNDS[kind as FloodKind]; // flood.ts starts this program
process.once("message", () => {
  for (let loop = 0; loop < LOOPS; loop += 1) void flood(start());
  setTimeout(() => say("floods"), UNHEARD_MS);
});
say("ready");

function say(kind: FromFlooder["kind"]): void {
  process.send?.({ kind } satisfies FromFlooder);
}

async function flood(round: () => Promise<unknown>): Promise<never> {
  for (;;) {
    await round().catch(() => pass(AGAIN_MS)); // refused, put out, or nobody there
    rounds += 1;
    if (rounds === ROUNDS_FIRST) say("floods");
  }
}

function dial(): Agent {
  return new Agent(address, credentials.createInsecure());
}

/** One question after the other, as fast as they are answered. */
function calls() {
  const agent = dial();
  return () =>
    Promise.all([
      agent.unary(AgentServiceService.getInfo, { expectedAgentId: "" }),
      agent.unary(MigrationServiceService.listMigrations, { expectedAgentId: "", guestId: "" }),
    ]);
}

/** Streams that are opened and hung up; at a destination, Prepares of the migration under way, with many heartbeats. */
function streams() {
  const agent = dial();
  return role === "destination" ? () => prepareAgain(agent) : () => watchOnce(agent);
}

async function watchOnce(agent: Agent): Promise<void> {
  const request = { expectedAgentId: "", migrationId: "" };
  for await (const _ of agent.watch(MigrationServiceService.watchMigrations, request)) return;
}

async function prepareAgain(agent: Agent): Promise<void> {
  const call = agent.duplex(DestinationServiceService.prepare);
  const ended = once(call, "close");
  call.on("error", () => {}); // it is refused
  call.write({
    message: {
      $case: "open",
      value: {
        expectedAgentId: "",
        migrationId,
        description: undefined,
        transport: Transport.UNSPECIFIED,
        heartbeatIntervalMs: 100,
        validateOnly: false,
        network: "",
      },
    },
  });
  for (let beats = 0; beats < HEARTBEATS; beats += 1) {
    call.write({ message: { $case: "heartbeat", value: {} } });
  }
  call.resume();
  await ended;
}

/** HTTP/2 pings without an end, on a new connection each time it is put out. */
function pings() {
  return async () => {
    const session = connect(`http://${address}`);
    session.on("error", () => {}); // it is put out
    const closed = once(session, "close");
    await once(session, "connect");
    const ping = () => {
      if (!session.destroyed) session.ping(ping);
    };
    for (let each = 0; each < PINGS; each += 1) ping();
    await closed;
  };
}
