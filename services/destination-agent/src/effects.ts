/*
 * What the destination's table orders, done to a real QEMU. Every effect starts at once, never
 * throws, and reports what came of it as the next thing heard.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { openMonitor } from "@ferry/agent-kit";
import type { BlockerReason } from "@ferry/contract";
import type { DestinationEffect } from "@ferry/protocol";
import {
  commandLine,
  cont,
  launchQemu,
  look,
  lookIncoming,
  makeRunDirectory,
  openIncoming,
  PortTaken,
  qemuDirectory,
  wantedBy,
  watchIncoming,
  writePskFile,
} from "@ferry/qemu";
import { isShort, type Qmp } from "@ferry/qmp";
import { StoreUnwritable } from "@ferry/store";
import { startTunnel } from "@ferry/tunnel";
import type { Arrival } from "./arrival.js";
import { placeFor } from "./networks.js";

/** A monitor that closes while its QEMU lives on is taken for lost after this time, in milliseconds. */
const MONITOR_LOST_MS = 1_000;
/** A guest that was released is loaded by then, or never, in milliseconds. */
const LOAD_MS = 30_000;
/** After a lost answer of `cont` or `query-status`, QEMU is looked at again after this time. */
const LOOK_AGAIN_MS = 250;

export function act(arrival: Arrival, effect: DestinationEffect): void {
  EFFECTS[effect](arrival).catch((error: unknown) =>
    arrival.host.log.error({ migration_id: arrival.migrationId, err: error, effect }, "effect"),
  );
}

const EFFECTS: Record<DestinationEffect, (arrival: Arrival) => Promise<void>> = {
  launch,
  kill,
  freeKeeper,
  cont: resumeGuest,
  look: lookThenResume,
};

/** Starts QEMU under its keeper and lets it listen; writes the arrival down meanwhile. */
async function launch(arrival: Arrival): Promise<void> {
  const { host, record } = arrival;
  const { spec, runDir, accelerator } = record.guest;
  const key = randomBytes(32).toString("hex");
  arrival.launching = true;
  try {
    await makeRunDirectory(runDir, host.runAs?.user);
    const keeper = await launchQemu({
      runDir,
      binary: host.config.qemu.binary,
      keeperPath: host.keeperPath,
      cgroups: host.config.qemu.cgroups,
      argv: commandLine(spec, {
        accelerator,
        runDir,
        monitors: ["source.qmp", "destination.qmp", "debug.qmp"],
        incoming: true,
        paused: true,
        sandbox: host.config.qemu.sandbox,
        runAs: host.runAs,
      }),
    });
    guard(arrival, keeper);
    if (arrival.killWanted) return;
    const processes = { keeper: keeper.keeper, qemu: keeper.qemu };
    arrival.record = { ...arrival.record, guest: { ...arrival.record.guest, processes } };
    // Written while QEMU starts. An agent that dies in between leaves either a record without QEMU,
    // or nothing, since the keeper dies with it.
    const accepted = arrival.accept();
    const keyWritten = encrypted(arrival) ? writePskFile(keyDirIn(runDir), key, runDir) : undefined;
    const written = Promise.all([accepted, keyWritten]);
    written.catch(() => {}); // awaited below; a QEMU that cannot start must not hide it
    arrival.qmp = await openMonitor(join(runDir, "destination.qmp"), keeper);
    follow(arrival);
    await keyWritten;
    await listen(arrival, key);
    await written;
    // Both agents of a host write their own record first and look for the other's afterwards: of a
    // Start and a Prepare that race for one guest, at least one sees the other.
    if (await host.store.guestExists(arrival.guestId)) {
      await arrival.fail(
        "host_fault",
        `guest ${arrival.guestId} was started on this host meanwhile`,
      );
      return;
    }
    await arrival.hear("listening");
  } catch (error) {
    host.log.warn({ migration_id: arrival.migrationId, err: error }, "QEMU could not be prepared");
    const lack = lackIn(error);
    arrival.lack ??= lack;
    const ours = lack !== undefined || isShort(error);
    const cause = ours ? "host_fault" : "qemu_died";
    await arrival.fail(cause, message(error));
  } finally {
    arrival.launching = false;
    if (arrival.killWanted) void kill(arrival);
  }
}

/** From now on the end of QEMU or of its keeper is heard. */
export function guard(arrival: Arrival, keeper: NonNullable<Arrival["keeper"]>): void {
  arrival.keeper = keeper;
  void keeper.reaped.then((death) => {
    arrival.lack ??= wantedBy(death.summary);
    return arrival.hear("qemuGone", {
      cause: "qemu_died",
      reason: `QEMU ended by itself: ${death.summary}`,
    });
  });
  void keeper.keeperGone.then(() => arrival.hear("keeperGone"));
}

/** Hears what QEMU says of the incoming stream. */
export function follow(arrival: Arrival): void {
  const { qmp } = arrival;
  if (qmp === undefined) return;
  watchIncoming(qmp, (news) => {
    if (news.kind === "loaded") {
      void arrival.hear("loaded");
      // Asked before it is released, so that nobody has to wait for the answer in the blackout.
      arrival.looked = look(qmp).catch(() => undefined);
    }
    if (news.kind === "failed") void arrival.fail("qemu_died", news.reason);
    if (news.kind === "resumed") arrival.resumedAtUs = news.atUs;
  });
  qmp.once("close", () => {
    arrival.keeper?.look();
    // A QEMU that died closes its monitor too, and is reaped in a moment: that is heard on its own.
    const lost = setTimeout(() => {
      if (arrival.qmp !== qmp || arrival.settled) return;
      void arrival.hear("restarted", { cause: "host_fault", reason: "QEMU's monitor was lost" });
    }, MONITOR_LOST_MS);
    void arrival.keeper?.reaped.then(() => clearTimeout(lost));
  });
}

/** Opens the incoming side on the transport that Prepare asked for, with a key of its own. */
async function listen(arrival: Arrival, key: string): Promise<void> {
  const { host, record, qmp } = arrival;
  if (qmp === undefined) return;
  const { runDir } = record.guest;
  const { migration } = host.config;
  const place = placeFor(record.arrival.network ?? "", migration);
  if ("reason" in place) throw new Error(place.description); // it was there a moment ago
  if (record.arrival.transport === "tunnel") {
    const path = join(qemuDirectory(runDir), "incoming");
    await openIncoming(qmp, { kind: "unix", path });
    const tunnel = await startTunnel({
      role: "accept",
      listen: { host: place.listenHost, ports: host.ports.free() },
      connectPath: path,
      migrationId: arrival.migrationId,
      key,
      security: host.tunnelSecurity(record.arrival.sourceAgentId),
    });
    // Nobody else stops it: whatever this arrival held was given back while the pump started.
    if (arrival.settled) return tunnel.stop();
    const { port } = tunnel;
    host.ports.take(port);
    arrival.tunnel = tunnel;
    arrival.port = port;
    arrival.endpoint = { host: place.advertiseHost, port, key };
    return;
  }
  const secret = encrypted(arrival);
  for (const port of host.ports.free()) {
    host.ports.take(port);
    arrival.port = port;
    try {
      await openIncoming(qmp, {
        kind: "tcp",
        host: place.listenHost,
        port,
        ...(secret ? { key: { dir: keyDirIn(runDir) } } : {}),
      });
    } catch (error) {
      arrival.giveBackPort();
      if (error instanceof PortTaken) continue; // somebody else on this machine has it
      throw error;
    }
    arrival.endpoint = { host: place.advertiseHost, port, key: secret ? key : "" };
    return;
  }
  throw new NoPort(
    `no port is free for an incoming migration in ${migration.portFirst}-${migration.portLast}: ` +
      "widen migration.port_first..port_last in the configuration",
  );
}

/** All ports of the range are somebody's. */
class NoPort extends Error {}

/** What this host lacks, of what a launch failed for; undefined: nothing that is known. */
function lackIn(error: unknown): BlockerReason | undefined {
  if (isShort(error)) return undefined; // it passes, also where it was the disk that said so
  if (error instanceof StoreUnwritable) return "STATE_DIRECTORY_FULL";
  if (error instanceof NoPort) return "NO_PORT";
  return wantedBy(message(error));
}

/** QEMU itself encrypts: in a tunnel the agents do. */
function encrypted({ record }: Arrival): boolean {
  return record.arrival.transport === "direct";
}

/** SIGKILL, until reaped. Many guests are killed in parallel: each has its own keeper. */
async function kill(arrival: Arrival): Promise<void> {
  if (arrival.keeper !== undefined) {
    await arrival.keeper.kill(); // its reaping is heard by `guard`
    return;
  }
  if (arrival.launching) {
    arrival.killWanted = true;
    return;
  }
  await arrival.hear("qemuGone");
}

/** The keeper must be free before `landing` is written: a bound one would kill a landed guest. */
async function freeKeeper(arrival: Arrival): Promise<void> {
  try {
    arrival.keeper?.free();
    await arrival.hear("freed");
  } catch (error) {
    arrival.host.log.warn({ migration_id: arrival.migrationId, err: error }, "keeper not freed");
    await arrival.hear("keeperGone");
  }
}

/** The commit point: `landing` is on disk, and this is the first `cont` this QEMU ever sees. */
async function resumeGuest(arrival: Arrival): Promise<void> {
  const still = asking(arrival);
  // A guest that was paused lands paused: nothing is sent, and nothing more can go wrong.
  if (arrival.record.guest.paused) {
    await arrival.hear("ran");
    return;
  }
  try {
    const { qmp } = arrival;
    if (qmp === undefined) throw new Error("no monitor");
    await hearCont(arrival, await cont(qmp, await arrival.looked), still);
  } catch (error) {
    // Only an explicit error is a refusal. An answer that was lost proves nothing: look again.
    arrival.host.log.warn({ migration_id: arrival.migrationId, err: error }, "cont: no answer");
    await arrival.hear("restarted");
  }
}

/**
 * QEMU is asked anew, and what it answers to an earlier question is not heard any more: else that
 * might be `perished`, and the `cont` of the later one wake the guest after all.
 */
function asking(arrival: Arrival): () => boolean {
  arrival.asked += 1;
  const mine = arrival.asked;
  return () => arrival.asked === mine;
}

async function hearCont(
  arrival: Arrival,
  answer: Awaited<ReturnType<typeof cont>>,
  still: () => boolean,
): Promise<void> {
  if (answer === "ran") await arrival.hear("ran", undefined, still);
  else {
    const why = { cause: "host_fault", reason: answer.refused } as const;
    await arrival.hear("contRefused", why, still);
  }
}

/** A `cont` may have been sent: ask before sending another. A refusal now is `perished`. */
async function lookThenResume(arrival: Arrival): Promise<void> {
  const still = asking(arrival);
  if (arrival.record.guest.paused) {
    await arrival.hear("ran");
    return;
  }
  try {
    let { qmp } = arrival;
    if (qmp === undefined || qmp.closed) {
      const { keeper } = arrival;
      if (keeper === undefined) return; // its death is heard on its own
      qmp = await reopened(arrival, keeper);
    }
    const seen = await look(qmp);
    if (seen.running) {
      await arrival.hear("ran", undefined, still);
      return;
    }
    if (!still() || arrival.settled) return; // a verdict fell meanwhile: nothing may wake it now
    await hearCont(arrival, await cont(qmp, seen), still);
  } catch (error) {
    arrival.host.log.warn({ migration_id: arrival.migrationId, err: error }, "QEMU does not say");
    // If it died, its keeper tells; if it is slow, it is asked again.
    setTimeout(() => {
      if (still() && arrival.phase === "relanding") void lookThenResume(arrival);
    }, LOOK_AGAIN_MS).unref();
  }
}

/**
 * The monitor, once it is open again. Whoever wants it waits for the same one: QEMU greets a single client, and
 * a second would wait for that until it gives up, while the guest stands still.
 */
function reopened(arrival: Arrival, keeper: NonNullable<Arrival["keeper"]>): Promise<Qmp> {
  const open = async () => {
    const path = join(arrival.record.guest.runDir, "destination.qmp");
    const qmp = await openMonitor(path, keeper);
    arrival.qmp = qmp;
    follow(arrival);
    return qmp;
  };
  arrival.reopening ??= open().finally(() => {
    arrival.reopening = undefined;
  });
  return arrival.reopening;
}

/**
 * The source's QEMU says that everything arrived. If ours does not within a while, an event was lost,
 * or the guest was: QEMU is looked at, and a guest that is not there is given up.
 */
export async function expectLoaded(arrival: Arrival): Promise<void> {
  const waiting = () => arrival.phase === "receivingReleased" || arrival.phase === "receivingDue";
  const deadline = performance.now() + LOAD_MS;
  while (waiting() && performance.now() < deadline) {
    await arrival.changes.until(() => !waiting(), { withinMs: LOOK_AGAIN_MS });
    if (!waiting() || arrival.qmp === undefined) continue;
    const seen = await lookIncoming(arrival.qmp).catch(() => "waiting" as const);
    if (seen === "loaded") await arrival.hear("loaded");
  }
  if (!waiting()) return;
  const reason = `the source sent everything, and it did not arrive within ${LOAD_MS / 1000} s`;
  await arrival.hear("waited", { cause: "host_fault", reason });
}

/** Where QEMU finds the migration's key. */
export function keyDirIn(runDir: string): string {
  return join(runDir, "keys");
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
