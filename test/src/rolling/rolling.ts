/*
 * Both agents of both hosts are ended with SIGTERM and started again, one after another, while guests
 * live there and others are on their way in both directions. What an upgrade of Ferry does to a fleet
 * is what is found here: which guests stood still, which are gone, and how each migration ended.
 */
import { join } from "node:path";
import { guestRunDirectory } from "@ferry/agent-kit";
import { type MigrationRun, migrate, type Outcome, type Transport } from "@ferry/client";
import { connect, type Qmp } from "@ferry/qmp";
import { TestGuest, tickerFolder, tickerSpec } from "../harness/guests.js";
import { Hosts, type TestHost } from "../harness/hosts.js";
import { move } from "../harness/move.js";
import { until } from "../harness/until.js";

export interface RollingOptions {
  /** Guests that only live there, half on each host. */
  readonly residents: number;
  /** Guests that are on their way meanwhile, in both directions by turns. */
  readonly migrating: number;
  /** Told of each step. */
  say(text: string): void;
}

/** What an agent's end means to a migration under way, and so how it must end. */
export interface Ended {
  readonly guestId: string;
  readonly transport: Transport;
  readonly outcome: Outcome;
  /** Rows of the controller's table that were taken after the copy had begun. */
  readonly rows: readonly string[];
  /** How often the guest stood still at its source. */
  readonly stops: number;
  /** What became of the move that was made afterwards, with nobody in its way. */
  readonly afterwards: Outcome["verdict"];
}

export interface Rolled {
  /** Residents that stood still, with how often. */
  readonly paused: readonly string[];
  /** Guests that live nowhere, or twice, or whose QEMU is another one, or which broke. */
  readonly harmed: readonly string[];
  readonly migrations: readonly Ended[];
  /** Exit codes of the agents, in the order of their restarts. */
  readonly exits: readonly (number | null)[];
  readonly leftovers: number;
  readonly leftoversWanted: number;
}

/** So slow that no copy ends by itself, in bytes per second. */
const NARROW = 16 * 1024;
const TRANSPORTS: readonly Transport[] = ["direct", "direct", "direct", "tunnel"];

interface Migrating {
  readonly guest: TestGuest;
  readonly from: TestHost;
  readonly to: TestHost;
  readonly transport: Transport;
  readonly run: MigrationRun;
  readonly watched: Watched;
  readonly rows: string[];
  copying: boolean;
}

/** How often a guest's QEMU has stopped it, by its own events on a monitor that no agent opens. */
class Watched {
  stops = 0;

  private constructor(readonly qmp: Qmp) {
    qmp.on("event", ({ event }) => {
      if (event === "STOP") this.stops += 1;
    });
  }

  static async at(host: TestHost, guestId: string): Promise<Watched> {
    const path = join(guestRunDirectory(host.runDir, guestId), "debug.qmp");
    return new Watched(await connect(path, { timeoutMs: 60_000 }));
  }
}

export async function rollingRestart(options: RollingOptions): Promise<Rolled> {
  const hosts = await Hosts.start({
    patient: true,
    allowedPaths: [tickerFolder],
    config: { limits: { memory_reserve_bytes: 2 ** 24 } },
  });
  try {
    return await roll(hosts, options);
  } finally {
    await hosts.close();
  }
}

async function roll(hosts: Hosts, { residents, migrating, say }: RollingOptions): Promise<Rolled> {
  const [one, two] = hosts.pair;
  const spec = (name: string, ram: number) =>
    tickerSpec(name, { hz: 19, ram, check: 4, memoryMib: 24 });
  say(`${residents} guests begin to live on two hosts`);
  const settled: { guest: TestGuest; home: TestHost; pid: number; watched: Watched }[] = [];
  for (let index = 0; index < residents; index += 1) {
    const home = index % 2 === 0 ? one : two;
    const guest = await TestGuest.start(home, spec(`resident-${index}`, 2));
    const watched = await Watched.at(home, guest.guestId);
    settled.push({ guest, home, pid: guest.qemuPid, watched });
  }
  say(`${migrating} guests are on their way`);
  const moving: Migrating[] = [];
  for (let index = 0; index < migrating; index += 1) {
    const [from, to] = index % 2 === 0 ? [one, two] : [two, one];
    const guest = await TestGuest.start(from, spec(`moving-${index}`, 16));
    moving.push(await begin(guest, from, to, TRANSPORTS[index % TRANSPORTS.length] ?? "direct"));
  }
  await until("every copy to be under way", () => moving.every(({ copying }) => copying));

  const exits: (number | null)[] = [];
  for (const host of [one, two]) {
    for (const agent of [host.source, host.destination]) {
      say(`${host.name}: the ${agent.options.role} agent is ended and started again`);
      exits.push(await agent.stop());
      agent.start();
      await agent.ready();
    }
  }
  say("the migrations end");
  const migrations = await Promise.all(moving.map(finish));
  const all = [...settled.map(({ guest }) => guest), ...moving.map(({ guest }) => guest)];
  const harmed = [
    ...(await misplaced(hosts, all)),
    ...(await changed(settled)),
    ...(await broken(all)),
  ];
  const paused = settled
    .filter(({ watched }) => watched.stops > 0)
    .map(({ guest, watched }) => `${guest.guestId} (${watched.stops})`);
  for (const { watched } of [...settled, ...moving]) watched.qmp.close();
  const leftoversWanted = all.length * 3; // keeper, QEMU, run directory
  await until("what ended to be tidied away", () => hosts.leftovers().length <= leftoversWanted);
  return {
    paused,
    harmed,
    migrations,
    exits,
    leftovers: hosts.leftovers().length,
    leftoversWanted,
  };
}

async function begin(
  guest: TestGuest,
  from: TestHost,
  to: TestHost,
  transport: Transport,
): Promise<Migrating> {
  const { guestId } = guest;
  const watched = await Watched.at(from, guestId);
  const run = migrate({
    guestId,
    from: from.client,
    to: to.client,
    transport,
    bandwidthBytesPerSecond: NARROW,
  });
  const migrating: Migrating = {
    guest,
    from,
    to,
    transport,
    run,
    watched,
    rows: [],
    copying: false,
  };
  void (async () => {
    for await (const event of run) {
      if (event.kind === "progress") migrating.copying = true;
      if (event.kind === "decision" && migrating.copying) migrating.rows.push(event.row);
    }
  })();
  return migrating;
}

/** Waits for its end, and moves the guest again from where it is, with nobody in its way. */
async function finish({
  guest,
  from,
  to,
  transport,
  run,
  rows,
  watched,
}: Migrating): Promise<Ended> {
  const { guestId } = guest;
  const outcome = await run.result;
  const { stops } = watched;
  const [here, there] = outcome.verdict === "landed" ? [to, from] : [from, to];
  await guest.livesAt(here);
  const { verdict: afterwards } = await move(guestId, here, there, { transport });
  await guest.livesAt(afterwards === "landed" ? there : here);
  return { guestId, transport, outcome, rows, stops, afterwards };
}

/** Every guest lives in one place. */
async function misplaced(hosts: Hosts, guests: readonly TestGuest[]): Promise<string[]> {
  const found = await Promise.all(hosts.all.map(({ client }) => client.guests.list()));
  const names = found.flat().map(({ guestId }) => guestId);
  return guests
    .map(({ guestId }) => [guestId, names.filter((name) => name === guestId).length] as const)
    .filter(([, homes]) => homes !== 1)
    .map(([guestId, homes]) => `${guestId} lives in ${homes} places`);
}

/** A resident's QEMU is the one it was. */
async function changed(
  settled: readonly { guest: TestGuest; home: TestHost; pid: number }[],
): Promise<string[]> {
  const found = await Promise.all(
    settled.map(async ({ guest, home, pid }) => ({ guest, pid, now: await guest.livesAt(home) })),
  );
  return found
    .filter(({ pid, now }) => now.qemuPid !== pid)
    .map(({ guest, pid, now }) => `${guest.guestId} ran as ${pid} and runs as ${now.qemuPid}`);
}

/** Every guest ticks on, and says itself that its memory is whole. */
async function broken(guests: readonly TestGuest[]): Promise<string[]> {
  const found = await Promise.all(
    guests.map((guest) =>
      guest.ticksOn(2).then(
        () => "",
        (error: unknown) => `${guest.guestId}: ${error instanceof Error ? error.message : error}`,
      ),
    ),
  );
  return found.filter((words) => words !== "");
}

/** What of it breaks a promise, in words; empty: nothing. */
export function complaints(rolled: Rolled): string[] {
  const { paused, harmed, migrations, exits, leftovers, leftoversWanted } = rolled;
  return [
    ...paused.map((guest) => `${guest} stood still`),
    ...harmed,
    ...exits.flatMap((code, index) =>
      code === 0 ? [] : [`agent ${index + 1} ended with ${code}`],
    ),
    ...migrations.flatMap((ended) => complaintsAbout(ended)),
    ...(leftovers === leftoversWanted ? [] : [`${leftovers} left, not ${leftoversWanted}`]),
  ];
}

/**
 * By the book: a migration whose destination agent ends is returned, and its guest has not stood still;
 * one whose copy was done before has landed, and stood still for its switchover alone. The next one lands.
 */
function complaintsAbout({ guestId, outcome, stops, afterwards }: Ended): string[] {
  const { verdict, settled, guestState } = outcome;
  const words: string[] = [];
  if (verdict !== "returned" && verdict !== "landed") words.push(`${guestId} ended ${verdict}`);
  if (!settled) words.push(`${guestId} is not settled`);
  // A busy agent may not have said in time; that the guest runs is asked of the guest itself.
  if ((guestState ?? "running") !== "running") words.push(`${guestId} is ${guestState}`);
  const allowed = verdict === "landed" ? 1 : 0;
  if (stops > allowed) words.push(`${guestId} ended ${verdict} and stood still ${stops} times`);
  if (afterwards !== "landed") words.push(`${guestId} did not land afterwards: ${afterwards}`);
  return words;
}
