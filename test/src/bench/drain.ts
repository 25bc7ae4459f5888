/*
 * A host of twenty small guests is emptied, turn by turn with twenty bare drivers that move as many at
 * once. Every guest must land, and must not have stood still but for its own switchover. A small guest
 * has as much memory in use as a Linux that has just started; of guests with none there is next to
 * nothing to move, and all that is seen is what a move costs beside moving.
 */
import { fromWireSpec } from "@ferry/agent-kit";
import { drain as drainHost } from "@ferry/client";
import { TestGuest, tickerSpec } from "../harness/guests.js";
import type { TestHost } from "../harness/hosts.js";
import type { Bench, Suite } from "./bench.js";
import { startHosts } from "./bench-hosts.js";
import { Floor } from "./floor.js";
import { left, type MoveTimes } from "./move.js";

const GUESTS = 20;
/** Moves at once, of both. */
const PARALLEL = 4;
const RUNS = 5;
/** The first turn of each finds cold caches and code that was never run: it is not counted. */
const WARM_UP = 1;

type GuestOptions = Parameters<typeof tickerSpec>[1];

export const drain = emptying("drain", { memoryMib: 256, hz: 19, ram: 64, check: 1 });
export const drainOfEmpty = emptying("drain-empty", { memoryMib: 32, hz: 19, ram: 2, check: 1 });

function emptying(row: "drain" | "drain-empty", options: GuestOptions): Suite {
  const blackout = `${row}-blackout` as const;
  return {
    name: `emptying a host of twenty small guests, beside twenty bare drivers (${row})`,
    rows: [row, blackout],
    async run(bench) {
      const hosts = await startHosts(bench, {
        config: { limits: { memory_reserve_bytes: 2 ** 26 } },
      });
      const guests: TestGuest[] = [];
      const floors: Floor[] = [];
      for (let index = 0; index < GUESTS; index += 1) {
        const guest = await TestGuest.start(hosts.pair[0], tickerSpec(`small-${index}`, options));
        guests.push(guest);
        const { spec } = await guest.livesAt(hosts.pair[0]);
        const starting = Floor.start(fromWireSpec(spec));
        floors.push(await bench.use(starting, (started) => started.remove()));
      }
      let [from, to]: readonly [TestHost, TestHost] = hosts.pair;
      for (let run = 1 - WARM_UP; run <= bench.runs(RUNS); run += 1) {
        const ours = await drainWithFerry(bench, guests, from, to);
        const bare = await moveAll(floors);
        [from, to] = [to, from];
        if (run < 1) continue;
        bench.record(row, ours.wallMs, bare.wallMs);
        bench.record(blackout, ours.blackoutMs, bare.blackoutMs);
      }
    },
  };
}

type Times = Pick<MoveTimes, "wallMs" | "blackoutMs">;

async function drainWithFerry(
  bench: Bench,
  guests: readonly TestGuest[],
  from: TestHost,
  to: TestHost,
): Promise<Times> {
  const startedAt = performance.now();
  const run = drainHost({
    from: { name: from.name, host: from.client },
    to: [{ name: to.name, host: to.client }],
    parallel: PARALLEL,
  });
  const report = await run.result;
  const wallMs = performance.now() - startedAt;
  if (!report.empty || report.moved.length !== guests.length) {
    throw new Error(`not everybody moved: ${JSON.stringify(report)}`);
  }
  for (const guest of guests) {
    await left(guest.guestId, from);
    await guest.livesAt(to);
    await guest.ticksOn(1); // throws if it was ever broken
  }
  const tries = report.moved.filter((moved) => moved.tries > 1).length;
  if (tries > 0) bench.say(`  (${tries} guests took more than one try)`);
  return { wallMs, blackoutMs: report.blackoutMaxMs ?? Number.NaN };
}

/** The same number at once, each as soon as one before it is done. */
async function moveAll(floors: readonly Floor[]): Promise<Times> {
  const startedAt = performance.now();
  const blackouts: number[] = [];
  const waiting = [...floors];
  const worker = async () => {
    for (let floor = waiting.shift(); floor !== undefined; floor = waiting.shift()) {
      blackouts.push((await floor.move()).blackoutMs);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  return { wallMs: performance.now() - startedAt, blackoutMs: Math.max(...blackouts) };
}
