/*
 * After a restart: the guests that live here are found again and only looked at; every departure
 * that was under way goes on from what its record says and from what QEMU says now.
 */
import { setTimeout as wait } from "node:timers/promises";
import { type DepartureRecord, residenceOf, within } from "@ferry/agent-kit";
import { type SourcePhase, sourceSettled } from "@ferry/protocol";
import { look, lookOutgoing } from "@ferry/qemu";
import { keepDeadline } from "./deadline.js";
import { Departure } from "./departure.js";
import type { Departures, DepartureView } from "./departures.js";
import { fingerprint, follow, hearEnd, hearGate, monitorOf, openMeet, watch } from "./effects.js";
import { Resident } from "./resident.js";
import type { Residents } from "./residents.js";

/** How long a guest that stands at the gate waits for Meet after a restart, in milliseconds. */
const GATE_PATIENCE_MS = 5_000;
/** How long QEMU is waited for before anything is said of a guest that was given away, in milliseconds. */
const LOOK_PATIENCE_MS = 1_000;
/** A QEMU that did not say how its copy stands is asked again after this time, in milliseconds. */
const LOOK_AGAIN_MS = 200;

export async function recover(residents: Residents, departures: Departures): Promise<void> {
  const { store } = departures.host;
  await departures.load();
  // First those that leave, since one may stand still, and not until hundreds of others are found, too.
  const records = (await store.departures.list()).filter(isUnderWay);
  const leaving = records.map(({ guestId }) => guestId);
  await residents.findAgain(leaving);
  await removeDeparted(leaving, residents, departures);
  const goingOn = Promise.all(records.map((record) => goOn(record, residents, departures)));
  goingOn.catch(() => {}); // awaited below
  const others = (await store.guests.ids()).filter((id) => !leaving.includes(id));
  await residents.findAgain(others);
  await removeDeparted(others, residents, departures);
  await goingOn;
}

function isUnderWay({ phase }: DepartureRecord): boolean {
  return !sourceSettled(phase as SourcePhase); // a record with another one is not read
}

/** A guest whose departure ended while its record was still here: only the record is left. */
async function removeDeparted(
  guestIds: readonly string[],
  residents: Residents,
  departures: Departures,
): Promise<void> {
  for (const guestId of guestIds) {
    const resident = residents.known(guestId);
    if (!resident?.dead) continue;
    const left = departures.views().some((view) => isItsEnd(view, resident));
    // A record without processes is a Start that did not get far enough to free its keeper.
    if (left || resident.record.guest.processes === undefined) await residents.remove(resident);
  }
}

/** That departure took the guest away from here, and not an earlier one that came back meanwhile. */
function isItsEnd(view: DepartureView, { guestId, record }: Resident): boolean {
  if (view.guestId !== guestId || !(view.phase === "departed" || view.givenUp)) return false;
  if (view.residence !== undefined) return view.residence === residenceOf(record);
  return view.startedAt >= new Date(record.guest.since); // of a release that did not write it down
}

async function goOn(
  record: DepartureRecord,
  residents: Residents,
  departures: Departures,
): Promise<void> {
  const phase = record.phase as SourcePhase; // one that is under way, as just seen
  const { log } = departures.host;
  const resident = residents.known(record.guestId) ?? Resident.nowhere(record.guestId, log);
  // `begun` is what `accept` writes first: nothing moved, and nobody was told anything.
  const departure = new Departure(
    departures.hostOfDepartures(),
    resident,
    record,
    phase === "begun" ? "meeting" : phase,
  );
  departures.add(departure);
  departure.tick();
  if (resident.dead) await departure.hear("qemuGone");
  await departure.hear("restarted");
  await within(LOOK_PATIENCE_MS, goOnWithWord(departure));
  if (departure.phase === "released") await hearWhetherItRuns(departure);
  if (departure.settled) return;
  if (record.arrival !== "0") openMeet(departure);
  if (departure.phase === "performing") void keepLooking(departure, departures);
}

/**
 * A person's word that was written down, and perhaps not acted upon: before anybody else speaks. But nothing
 * is given up that runs: the disk may have refused that word, and then the guest was returned.
 */
async function goOnWithWord(departure: Departure): Promise<void> {
  const { record, resident, migrationId, host } = departure;
  const { overridden, givenUp } = record;
  if (overridden === undefined || departure.settled) return;
  if (givenUp) {
    await monitorOf(resident);
    if (!(await departure.standsStill())) {
      host.log.warn({ migration_id: migrationId, overridden }, "it runs: it is not given up");
      return;
    }
  }
  host.log.warn(
    { migration_id: migrationId, overridden },
    "the override goes on where the last agent died",
  );
  await departure.hearOverride(overridden, givenUp);
}

/**
 * A guest that was given away, and runs here, was taken back by an agent that died before it could write
 * so: nobody but QEMU may be left who knows. A QEMU that does not answer is asked again while others speak.
 */
async function hearWhetherItRuns(departure: Departure): Promise<void> {
  const { resident } = departure;
  const looking = (async () => {
    const qmp = await monitorOf(resident);
    if (qmp === undefined || departure.phase !== "released" || !(await look(qmp)).running) return;
    await departure.hear("resumed", () => departure.phase === "released");
  })().catch((error: unknown) =>
    departure.host.log.warn({ migration_id: departure.migrationId, err: error }, "QEMU's state"),
  );
  await within(LOOK_PATIENCE_MS, looking);
}

/** Until QEMU has said how the copy stands: one that is too busy to answer once is asked again. */
async function keepLooking(departure: Departure, departures: Departures): Promise<void> {
  const { log } = departure.host;
  while (departure.phase === "performing") {
    try {
      await lookAgain(departure, departures);
      return;
    } catch (error) {
      log.warn(
        { migration_id: departure.migrationId, err: error },
        "QEMU does not say; asking again",
      );
      await wait(LOOK_AGAIN_MS, undefined, { ref: false });
    }
  }
}

/** The copy may have gone on without us, or have ended: QEMU knows. */
async function lookAgain(departure: Departure, departures: Departures): Promise<void> {
  const { resident } = departure;
  const { log, config } = departure.host;
  const qmp = await monitorOf(resident);
  if (qmp === undefined) return;
  if ((await fingerprint(departure)) === departure.record.before) {
    departure.fail("AGENT_RESTARTED", "the source agent died before the copy began");
    await departure.hear("failedEarly");
    return;
  }
  const seen = await lookOutgoing(qmp);
  log.info({ migration_id: departure.migrationId, state: seen.state }, "the copy is found again");
  if (seen.state === "gate") {
    // Its guest stands still: Meet decides, as soon as it is up.
    departure.wentOn = false;
    const { meetStaleMs } = config.timeouts;
    const deadline = AbortSignal.timeout(GATE_PATIENCE_MS);
    while (!departure.meet?.fresh(meetStaleMs) && !deadline.aborted) {
      await departure.changes.after(departure.changes.version, AbortSignal.timeout(20));
    }
  }
  follow(departure, qmp);
  if (seen.state === "gate") hearGate(departure);
  void watch(departure, qmp);
  departures.bandwidth.adopt(departure);
  await hearEnd(departure, qmp);
  keepDeadline(departure); // only now: whatever happened without us counts first
}
