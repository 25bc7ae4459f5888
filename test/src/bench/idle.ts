/* An idle guest, moved back and forth, turn by turn by Ferry and by the bare driver. */
import { readFileSync } from "node:fs";
import { fromWireSpec } from "@ferry/agent-kit";
import { TestGuest, tickerSpec } from "../harness/guests.js";
import type { TestHost } from "../harness/hosts.js";
import { until } from "../harness/until.js";
import type { Suite } from "./bench.js";
import { startHosts } from "./bench-hosts.js";
import { Floor } from "./floor.js";
import { moveWithFerry } from "./move.js";

const RUNS = 15;
/** The first move of each finds cold caches and code that was never run: it is not counted. */
const WARM_UP = 1;

export const idle: Suite = {
  name: "moving an idle guest, beside a bare driver",
  rows: ["outside-qemu", "wall", "blackout", "gate", "hand-over"],
  async run(bench) {
    const hosts = await startHosts(bench);
    const spec = tickerSpec("idle", { memoryMib: 256, hz: 19, ram: 2, check: 1 });
    const guest = await TestGuest.start(hosts.pair[0], spec);
    await guest.ticksOn();
    const { spec: pinned } = await guest.livesAt(hosts.pair[0]);
    const floor = await bench.use(Floor.start(fromWireSpec(pinned)), (started) => started.remove());
    await until("the floor's guest to boot", () => ticks(floor));

    let [from, to]: readonly [TestHost, TestHost] = hosts.pair;
    for (let run = 1 - WARM_UP; run <= bench.runs(RUNS); run += 1) {
      const ours = await moveWithFerry({ guestId: "idle", from, to });
      const bare = await floor.move();
      [from, to] = [to, from];
      if (run < 1) continue;
      bench.record("outside-qemu", ours.wallMs - ours.qemuMs, bare.wallMs - bare.qemuMs);
      bench.record("wall", ours.wallMs, bare.wallMs);
      bench.record("blackout", ours.blackoutMs, bare.blackoutMs);
      bench.record("gate", ours.gateMs, bare.gateMs);
      bench.record("hand-over", ours.handOverMs, bare.handOverMs);
    }
  },
};

function ticks({ consolePath }: Floor): boolean {
  return readFileSync(consolePath, "latin1").includes("\nt ");
}
