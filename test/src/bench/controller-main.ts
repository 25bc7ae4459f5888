/*
 * A controller that goes so far and no further, as a process of its own that can be killed or frozen:
 * node controller-main.js OPTIONS, which are JSON. It prints one line once all its guests are there, and
 * then holds their tethers for as long as it lives.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Agent, connectHost, type HostAddress } from "@ferry/client";
import {
  DestinationServiceService,
  type PrepareOpen,
  type PreparePrepared,
  type PrepareResponse,
  readFault,
  SourceServiceService,
  Transport,
} from "@ferry/contract";

/** How far: QEMU listens; QEMU is being sent the guest; QEMU has all of it, and Finish is not ordered. */
export type Stage = "prepared" | "receiving" | "loaded";

export interface ControllerOptions {
  readonly from: HostAddress;
  readonly to: HostAddress;
  /** Folder of its certificate, its key and whom it trusts. */
  readonly certificates: string;
  readonly guestIds: readonly string[];
  readonly until: Stage;
  /** 0: no limit. */
  readonly bandwidthBytesPerSecond: number;
}

/** What an earlier, killed controller left behind is settled within this time. */
const BEGIN_MS = 20_000;
const AGAIN_MS = 50;

const text = process.argv[2];
if (text !== undefined && process.argv[1]?.endsWith("controller-main.js")) {
  const options = JSON.parse(text) as ControllerOptions; // written by held.ts
  const read = (name: string) => readFileSync(join(options.certificates, name));
  const tls = { ca: read("ca.crt"), cert: read("controller.crt"), key: read("controller.key") };
  const from = connectHost({ ...options.from, tls }).source;
  const to = connectHost({ ...options.to, tls }).destination;
  await Promise.all(options.guestIds.map((guestId) => hold(guestId, from, to, options)));
  process.stdout.write("there\n");
}

async function hold(guestId: string, from: Agent, to: Agent, options: ControllerOptions) {
  const migrationId = randomUUID();
  const begun = { expectedAgentId: "", migrationId, guestId, validateOnly: false, path: undefined };
  const { description } = await patiently(() => from.unary(SourceServiceService.begin, begun));
  const prepared = await prepare(to, {
    expectedAgentId: "",
    migrationId,
    description,
    transport: Transport.DIRECT,
    heartbeatIntervalMs: 0,
    network: "",
    validateOnly: false,
  });
  if (options.until === "prepared") return;
  const events = from.watch(SourceServiceService.perform, {
    expectedAgentId: "",
    migrationId,
    destinationAddress: prepared.peerAddress || options.to.destination,
    destinationAgentId: prepared.agentId,
    bandwidthBytesPerSecond: BigInt(options.bandwidthBytesPerSecond),
    downtimeLimitMs: 0,
    timeoutMs: 0,
  });
  const wanted = options.until === "receiving" ? "bound" : "released";
  for (;;) {
    const { value, done } = await events.next();
    if (value?.event?.$case === wanted) return; // the stream stays open
    if (done === true || value?.event?.$case === "failed") {
      throw new Error(`${guestId} was not sent: ${JSON.stringify(value?.event)}`);
    }
  }
}

/** Opens the tether, and leaves it open. */
function prepare(to: Agent, open: PrepareOpen): Promise<PreparePrepared & { agentId: string }> {
  const call = to.duplex(DestinationServiceService.prepare);
  return new Promise((resolve, reject) => {
    call.on("error", reject);
    call.on("data", ({ agentId, event }: PrepareResponse) => {
      if (event?.$case === "prepared") resolve({ ...event.value, agentId });
    });
    call.write({ message: { $case: "open", value: open } });
  });
}

/** Repeats while the agent says that somebody else has the guest. */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + BEGIN_MS;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if (readFault(error)?.reason !== "GUEST_BUSY" || performance.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}
