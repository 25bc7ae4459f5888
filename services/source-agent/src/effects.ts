/*
 * What the source's table orders, done to a real QEMU, and what QEMU does by itself, heard. Every
 * effect starts at once, never throws, and reports what came of it as the next thing heard.
 */
import { join } from "node:path";
import { setImmediate as turn, setTimeout as wait } from "node:timers/promises";
import { dying } from "@ferry/agent-kit";
import type { SourceEffect } from "@ferry/protocol";
import {
  beginOutgoing,
  cancelOutgoing,
  cont,
  continueOutgoing,
  type Endpoint,
  fingerprintOutgoing,
  giveToQemu,
  look,
  lookOutgoing,
  type Outgoing,
  ProgressMeter,
  presetOutgoing,
  putBackOutgoing,
  readyOutgoing,
  removePskFile,
  setDowntimeLimit,
  watchOutgoing,
  writePskFile,
  yankOutgoing,
} from "@ferry/qemu";
import { type Qmp, QmpSilence } from "@ferry/qmp";
import { startTunnel } from "@ferry/tunnel";
import type { Departure } from "./departure.js";
import { MeetCall } from "./meet-call.js";
import type { Resident } from "./resident.js";

/** How often QEMU is asked how far it is; events tell the rest. */
const POLL_MS = 200;
/** `cont` that was refused for a moment (a loaded destination holds an image lock) is repeated. */
const CONT_AGAIN_MS = 100;
/** A cancel that QEMU does not answer is followed by a yank after this time. */
const CANCEL_TIMEOUT_MS = 1_000;
/** How long QEMU may take to tell its measure of the blackout, before it is told without. */
const MEASURE_TIMEOUT_MS = 500;
/** A guest that was ordered to land mostly has by then, and its old QEMU is asked after that. */
const LANDS_MS = 5;
/** A QEMU whose monitor closed is reaped by then, or its keeper does not say how it died. */
const DEATH_MS = 1_500;
/** How long the two agents may take to meet. */
const MEET_TIMEOUT_MS = 10_000;
/** Until Meet was seen fresh the guest must not converge: this is as good as never for a busy one. */
const DOWNTIME_HELD_MS = 1;

export function act(departure: Departure, effect: SourceEffect): void {
  EFFECTS[effect](departure).catch((error: unknown) =>
    departure.host.log.error({ migration_id: departure.migrationId, err: error, effect }, "effect"),
  );
}

const EFFECTS: Record<SourceEffect, (departure: Departure) => Promise<void>> = {
  meet,
  migrate,
  goOn,
  cancel,
  cont: takeBack,
  kill,
};

/** Dials the destination, and gives up if the two do not meet. */
async function meet(departure: Departure): Promise<void> {
  const accepted = departure.accept(); // written while we dial; `performing` waits for it
  accepted.catch(() => {}); // it is `performing` that fails on a full disk
  openMeet(departure);
  preset(departure).catch(() => {}); // told by `ready`
  const { changes } = departure;
  const met = () => departure.phase !== "meeting";
  // A destination that answers and names no endpoint yet is starting QEMU, and gives that up by itself.
  while (!(await changes.until(met, { withinMs: MEET_TIMEOUT_MS }))) {
    if (departure.meet?.silent(MEET_TIMEOUT_MS) !== false) break;
  }
  if (met()) return;
  departure.fail(
    "DESTINATION_UNREACHABLE",
    `the destination agent at ${departure.record.destinationAddress} could not be met within ${MEET_TIMEOUT_MS / 1000} s${departure.meetTrouble}`,
  );
  await departure.hear("abort", () => departure.phase === "meeting");
}

/** Opens Meet; also after a restart. */
export function openMeet(departure: Departure): void {
  const { host, record } = departure;
  departure.meet ??= new MeetCall({
    beatMs: host.config.timeouts.beatMs,
    dial: () => host.dialPeer(record.destinationAddress, record.destinationAgentId),
    say: () => departure.say(),
    traceparent: () => departure.trace.carried,
    heard: (response) => departure.heardFromDestination(response),
    broke: (fault, error) => departure.meetBroke(fault, error),
  });
}

/** The record says `performing`, synced: from here on QEMU may move the guest's memory. */
function migrate(departure: Departure): Promise<void> {
  departure.sending = send(departure);
  return departure.sending;
}

/** Tells QEMU what it can be told before the destination is known. */
function preset(departure: Departure): Promise<void> {
  departure.preset ??= (async () =>
    presetOutgoing(monitor(departure), { downtimeLimitMs: DOWNTIME_HELD_MS }))();
  return departure.preset;
}

/**
 * Tells QEMU how it will send, and where to. Nothing of the guest moves: so it is done while
 * `performing` is being written.
 */
export async function ready(departure: Departure): Promise<Endpoint> {
  const [to] = await Promise.all([route(departure), preset(departure)]);
  await readyOutgoing(monitor(departure), {
    to,
    bandwidthBytesPerSecond: await departure.host.joinBandwidth(departure),
  });
  return to;
}

async function send(departure: Departure): Promise<void> {
  try {
    const qmp = monitor(departure);
    if (departure.readied === undefined) throw new Error("the destination named no endpoint");
    follow(departure, qmp);
    await beginOutgoing(qmp, await departure.readied);
    void watch(departure, qmp);
  } catch (error) {
    // A guest that died meanwhile is none that is kept: its death is heard on its own.
    if (departure.resident.qmp?.closed !== false) await dying(departure.resident.keeper, DEATH_MS);
    if (departure.resident.death !== undefined) return;
    if (error instanceof QmpSilence) {
      void regain(departure); // no answer is no refusal: it may be sending
      return;
    }
    const text = error instanceof Error ? error.message : String(error);
    departure.fail("QEMU_FAILED", `QEMU would not send: ${text}`);
    await departure.hear("failedEarly");
  }
}

/** Where QEMU sends to: the destination's QEMU itself, or this end of the tunnel. */
async function route(departure: Departure): Promise<Endpoint> {
  const { record, endpoint, host, resident } = departure;
  const { runDir } = resident.record.guest;
  if (endpoint === undefined) throw new Error("the destination named no endpoint");
  if (record.transport === "tunnel") {
    const path = join(runDir, "outgoing");
    const tunnel = await startTunnel({
      role: "dial",
      listenPath: path,
      address: { host: endpoint.host, port: endpoint.port },
      migrationId: record.migrationId,
      key: endpoint.key,
      security: host.tunnelSecurity(record.destinationAgentId),
    });
    departure.tunnel = tunnel;
    await giveToQemu(runDir, path, "connect");
    return { kind: "unix", path };
  }
  const { host: address, port } = endpoint;
  if (record.transport === "direct_plain") return { kind: "tcp", host: address, port };
  const dir = keyDirIn(runDir);
  await writePskFile(dir, endpoint.key, runDir);
  return { kind: "tcp", host: address, port, key: { dir } };
}

function keyDirIn(runDir: string): string {
  return join(runDir, "outgoing-keys");
}

/** What was said of QEMU's last migration before this one: so that it is never taken for ours. */
export async function fingerprint(departure: Departure): Promise<string> {
  return fingerprintOutgoing(monitor(departure));
}

/** Hears QEMU's events: they are faster than looking. */
export function follow(departure: Departure, qmp: Qmp): void {
  if (departure.followed === qmp) return;
  departure.followed = qmp;
  const stopWatching = watchOutgoing(qmp, (news) => {
    switch (news.kind) {
      case "pass":
        // The guest may converge only while somebody can take it through the switchover.
        if (news.pass > 1) void letConverge(departure, qmp);
        break;
      case "stopped":
        departure.stoppedAtUs = news.atUs;
        yankLater(departure, qmp);
        break;
      case "gate":
        hearGate(departure);
        break;
      case "ended":
        if (news.status === "completed") void hearSent(departure, qmp);
        else void hearEnd(departure, qmp);
        break;
    }
  });
  void departure.over.then(stopWatching);
}

/** The guest stands at the gate: it may go on if Meet is fresh and the tether held. */
export function hearGate(departure: Departure): void {
  const { meetStaleMs } = departure.host.config.timeouts;
  void departure.hear(departure.meet?.fresh(meetStaleMs) ? "gate" : "stale");
}

/** Raises the downtime limit to what was asked for, if Meet is up and the tether held. */
async function letConverge(departure: Departure, qmp: Qmp): Promise<void> {
  const { host, record } = departure;
  if (departure.converging || departure.phase !== "performing") return;
  if (!departure.meet?.fresh(host.config.timeouts.meetStaleMs)) return;
  departure.converging = true;
  try {
    await setDowntimeLimit(qmp, record.downtimeLimitMs);
  } catch (error) {
    departure.converging = false; // asked again at the next look
    host.log.warn({ migration_id: departure.migrationId, err: error }, "downtime limit not set");
  }
}

/** Once it is open; undefined if QEMU is dead, which is heard on its own. */
export async function monitorOf(resident: Resident): Promise<Qmp | undefined> {
  while ((resident.qmp === undefined || resident.qmp.closed) && !resident.dead) {
    await resident.changes.after(resident.changes.version); // it is being opened
  }
  return resident.dead ? undefined : resident.qmp;
}

/**
 * The monitor was lost, or what QEMU answered on it, and QEMU lives: the copy goes on without us, and its
 * guest may stand at the gate.
 */
async function regain(departure: Departure): Promise<void> {
  const { host, migrationId, record, resident } = departure;
  while (COPYING.has(departure.phase)) {
    const qmp = await monitorOf(resident);
    if (qmp === undefined || !COPYING.has(departure.phase)) return;
    try {
      if ((await fingerprint(departure)) === record.before) {
        departure.fail("QEMU_FAILED", "QEMU's monitor was lost before the copy began");
        await departure.hear("failedEarly");
        return;
      }
      // What it was told there may have been lost, too.
      if ((await lookOutgoing(qmp)).state === "gate") departure.wentOn = false;
      host.log.warn(
        { migration_id: migrationId },
        "QEMU's monitor was lost: the copy is found again",
      );
      follow(departure, qmp);
      // The order to give it up may have been lost as well, and its guest would stand at the gate for ever.
      if (departure.phase === "cancelling") act(departure, "cancel");
      void watch(departure, qmp);
      return;
    } catch (error) {
      host.log.warn({ migration_id: migrationId, err: error }, "the copy is not found again yet");
      await wait(POLL_MS, undefined, { ref: false });
    }
  }
}

/** Looks at QEMU until the copy is over: an event that was lost must not leave anybody waiting. */
export async function watch(departure: Departure, qmp: Qmp): Promise<void> {
  await watchOn(departure, qmp);
  if (qmp.closed) await regain(departure);
}

async function watchOn(departure: Departure, qmp: Qmp): Promise<void> {
  const { host } = departure;
  const { stallMs } = host.config.timeouts;
  const meter = new ProgressMeter();
  let movedAt = performance.now();
  let transferred = -1;
  while (COPYING.has(departure.phase) && !qmp.closed) {
    // Behind the gate the guest stands still: QEMU's events tell, and the clock in case one was lost.
    if (departure.wentOn) await wait(POLL_MS, undefined, { ref: false });
    else await departure.changes.after(departure.changes.version, AbortSignal.timeout(POLL_MS));
    if (!COPYING.has(departure.phase) || qmp.closed) return;
    let seen: Outgoing;
    try {
      seen = await lookOutgoing(qmp);
    } catch {
      continue; // QEMU is busy, or gone: its keeper tells
    }
    departure.progress = meter.measure(seen);
    if (seen.transferredBytes !== transferred) {
      transferred = seen.transferredBytes;
      movedAt = performance.now();
    }
    if (seen.iteration > 1) void letConverge(departure, qmp);
    if (seen.state === "gate" && !departure.wentOn) hearGate(departure);
    if (ENDED.has(seen.state)) await hearEnd(departure, qmp);
    const stalled = performance.now() - movedAt > stallMs;
    if (departure.phase === "performing" && stalled && departure.meet?.silent(stallMs)) {
      departure.fail(
        "DESTINATION_LOST",
        `no byte moved and the destination agent said nothing for ${stallMs / 1000} s`,
      );
      await departure.hear("abort");
    }
    if (departure.phase === "performing" && stalled && seen.state === "setup") {
      departure.fail(
        "QEMU_FAILED",
        `QEMU did not get through to the destination's within ${stallMs / 1000} s: check the network and what else connects to that port`,
      );
      await departure.hear("abort");
    }
    departure.tick();
  }
}

const COPYING: ReadonlySet<string> = new Set(["performing", "cancelling"]);
const ENDED: ReadonlySet<string> = new Set(["completed", "failed", "cancelled", "none"]);
/** How a guest stands that has not run since its copy completed (migration_iteration_finish in QEMU). */
const UNTOUCHED: ReadonlySet<string> = new Set(["finish-migrate", "postmigrate"]);

/**
 * QEMU has just said it, on a monitor on which all it said of earlier migrations was read before this
 * one was begun. The guest stands still: so nothing is asked before it is given away.
 */
async function hearSent(departure: Departure, qmp: Qmp): Promise<void> {
  const released = departure.hear("sent");
  departure.measured = released.then(async () => {
    await turn(); // the word is on its way
    // A caller that has ordered the guest to land waits for the destination, which has work to do now.
    const landed = () => departure.phase !== "released";
    if (departure.ordered) await departure.changes.until(landed, { withinMs: LANDS_MS });
    await measure(departure, qmp);
  });
  await released;
}

/** QEMU's own measure of the blackout, for people: going without it harms nobody. */
async function measure(departure: Departure, qmp: Qmp): Promise<void> {
  try {
    const seen = await lookOutgoing(qmp, { timeoutMs: MEASURE_TIMEOUT_MS });
    departure.qemuDowntimeMs = seen.downtimeMs;
    departure.progress ??= new ProgressMeter().measure(seen); // it was over before it was looked at
  } catch {
    // It was ended before it could say.
  }
}

/** QEMU says that the migration ended: asks how, since an event alone may be another one's. */
export async function hearEnd(departure: Departure, qmp: Qmp): Promise<void> {
  let seen: Outgoing;
  let status: string;
  try {
    [seen, { status }] = await Promise.all([lookOutgoing(qmp), look(qmp)]);
  } catch {
    return; // the next look tells
  }
  if (seen.state === "completed") {
    // A predecessor of ours may have taken the guest back, and have died before it could write so:
    // QEMU still says `completed`, and giving the guest away now would run it twice.
    if (!UNTOUCHED.has(status)) {
      departure.fail("AGENT_RESTARTED", `the guest was taken back before; QEMU says ${status}`);
      await departure.hear("failedLate");
      return;
    }
    departure.qemuDowntimeMs = seen.downtimeMs;
    await departure.hear("sent");
    return;
  }
  if (!ENDED.has(seen.state)) return;
  departure.fail("QEMU_FAILED", `QEMU's migration ${seen.state}: ${seen.errorDescription}`);
  await departure.hear(departure.wentOn ? "failedLate" : "failedEarly");
}

/** The gate was passed: Meet is fresh and the tether held. QEMU sends the rest. */
async function goOn(departure: Departure): Promise<void> {
  departure.wentOn = true;
  try {
    const qmp = monitor(departure);
    // A guest that was paused before stops for nobody, so no STOP event starts its deadline.
    if (departure.record.paused) yankLater(departure, qmp);
    await continueOutgoing(qmp);
  } catch (error) {
    // It left the gate by itself (cancelled, failed), which is heard on its own.
    departure.host.log.debug(
      { migration_id: departure.migrationId, err: error },
      "migrate-continue",
    );
  }
}

/** From here on the switchover must be over within the downtime limit and a margin. */
function yankLater(departure: Departure, qmp: Qmp): void {
  const { downtimeLimitMs } = departure.record;
  const { switchoverMarginMs } = departure.host.config.timeouts;
  const deadlineMs = downtimeLimitMs + switchoverMarginMs;
  setTimeout(() => void yankIfStuck(departure, qmp), deadlineMs).unref();
}

/** A peer that freezes in the switchover freezes the guest: an out-of-band yank frees it at once. */
async function yankIfStuck(departure: Departure, qmp: Qmp): Promise<void> {
  const open = qmp.closed ? departure.resident.qmp : qmp;
  if (!COPYING.has(departure.phase) || open === undefined || open.closed) return;
  departure.fail(
    "SWITCHOVER_TIMEOUT",
    "the destination did not take the guest within the switchover deadline",
  );
  try {
    await yankOutgoing(open);
  } catch (error) {
    departure.host.log.warn({ migration_id: departure.migrationId, err: error }, "yank");
  }
}

/** QEMU lets the guest run on by itself once a copy is cancelled. */
async function cancel(departure: Departure): Promise<void> {
  await departure.sending; // a cancel that overtook its `migrate` would cancel nothing
  const qmp = monitor(departure);
  try {
    await cancelOutgoing(qmp, { timeoutMs: CANCEL_TIMEOUT_MS });
  } catch {
    await yankOutgoing(qmp).catch(() => {}); // the look in `watch` tells what came of it
  }
  await hearEnd(departure, qmp);
}

/** The guest comes back: `cont`, again until it works. A guest that was paused stays paused. */
async function takeBack(departure: Departure): Promise<void> {
  const { resident, host } = departure;
  const phase = departure.phase;
  for (let tries = 1; ; tries += 1) {
    if (resident.dead || departure.phase !== phase) return; // its death is heard on its own
    try {
      const answer = departure.record.paused ? "ran" : await cont(monitor(departure));
      if (answer === "ran") break;
      host.log.warn(
        { migration_id: departure.migrationId, tries, refused: answer.refused },
        "QEMU does not take the guest back yet",
      );
    } catch (error) {
      host.log.warn({ migration_id: departure.migrationId, tries, err: error }, "cont: no answer");
    }
    host.metrics.retakes.inc();
    await new Promise((resolve) => setTimeout(resolve, CONT_AGAIN_MS));
  }
  await departure.hear("resumed");
}

/** `landed` was heard of this very arrival: the old copy goes. */
async function kill(departure: Departure): Promise<void> {
  const { resident, host } = departure;
  // Both are done while QEMU tells its measure and dies; undone, they are done when it has.
  host.store.departures.readyEnd(departure.migrationId, "departed").catch(() => {});
  host.store.guests.readyHide(departure.guestId).catch(() => {});
  await departure.measured;
  await resident.keeper?.kill(); // its reaping is heard by the departure
  void resident.clear(); // while that is being written
}

/** After a migration, QEMU is set as if there had been none. Of one that left, its whole directory goes. */
export async function putBack(departure: Departure): Promise<void> {
  // What was set is put back, and not what is about to be set.
  await Promise.allSettled([departure.preset, departure.readied]);
  await departure.tunnel?.stop();
  const { qmp, dead, record } = departure.resident;
  const { runDir } = record.guest;
  if (departure.leavesNothing || runDir === "") return;
  await removePskFile(keyDirIn(runDir));
  if (qmp !== undefined && !dead) await putBackOutgoing(qmp);
}

function monitor(departure: Departure): Qmp {
  const { qmp } = departure.resident;
  if (qmp === undefined) throw new Error("the guest's monitor is not open");
  return qmp;
}
