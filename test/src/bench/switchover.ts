/*
 * The destination freezes just when the source's guest has stopped for the switchover, and nobody
 * closes a connection: the worst moment there is. How long the guest stands still is told by its
 * QEMU's own STOP and RESUME.
 */
import { TestGuest, tickerSpec } from "../harness/guests.js";
import type { TestHost } from "../harness/hosts.js";
import { signal } from "../harness/processes.js";
import { until } from "../harness/until.js";
import type { Bench, Suite } from "./bench.js";
import { startHosts } from "./bench-hosts.js";
import { moveWatched, type Watched } from "./move.js";
import { pidOf } from "./pid-of.js";

const RUNS = 5;
/** The frost may come too late, and the guest lands: then that run says nothing. */
const TRIES_PER_RUN = 4;

export const switchover: Suite = {
  name: "freezing the destination at the switchover",
  rows: ["destination-frozen-qemu", "destination-frozen-host"],
  async run(bench) {
    const hosts = await startHosts(bench);
    let [from, to]: readonly [TestHost, TestHost] = hosts.pair;
    // What it rewrites all the time is left for the switchover, which therefore takes a while; and it
    // is little enough to be sent in no time on a slow machine.
    const spec = tickerSpec("busy", { memoryMib: 64, ram: 8, dirty: 100, check: 16 });
    await (await TestGuest.start(from, spec)).ticksOn();
    for (const row of ["destination-frozen-qemu", "destination-frozen-host"] as const) {
      const withAgent = row === "destination-frozen-host";
      const runs = bench.wants(row) ? bench.runs(RUNS) : 0;
      for (let run = 0, tries = 0; run < runs; tries += 1) {
        if (tries > runs * TRIES_PER_RUN) throw new Error(`${row}: the frost always came too late`);
        const stoodMs = await freeze(bench, from, to, withAgent);
        if (stoodMs === undefined) {
          [from, to] = [to, from];
          continue;
        }
        bench.record(row, stoodMs);
        run += 1;
      }
    }
  },
};

/** How long the guest stood still, in milliseconds; undefined if it landed. */
async function freeze(
  bench: Bench,
  from: TestHost,
  to: TestHost,
  withAgent: boolean,
): Promise<number | undefined> {
  const frost = (watched: Watched) => {
    const qemu = pidOf(watched.destination.qmp.path);
    watched.source.qmp.on("event", ({ event }) => {
      if (event === "STOP") {
        signal(qemu, "SIGSTOP");
        if (withAgent) to.destination.freeze();
      }
      // It may well be dead by now, and then its pid nobody's: only the agent is thawed.
      if (event === "RESUME") to.destination.thaw();
    });
  };
  const { outcome, source, destination } = await moveWatched({
    guestId: "busy",
    from,
    to,
    begun: frost,
  });
  try {
    if (outcome.verdict === "landed") return undefined;
    if (outcome.verdict !== "returned") {
      throw new Error(`the guest is ${outcome.verdict}: ${JSON.stringify(outcome.why)}`);
    }
    bench.say(`  (${outcome.why?.reason}: ${outcome.why?.description})`);
    const stoodMs = source.between("STOP", "RESUME");
    await until("the guest to be free again", async () => {
      const { migrationId } = await from.client.guests.get("busy");
      return migrationId === "";
    });
    return stoodMs;
  } finally {
    source.close();
    destination.close();
  }
}
