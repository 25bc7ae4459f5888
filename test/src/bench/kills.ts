/* What becomes of a guest that has not landed, when whoever it depends on dies or freezes. */
import { TestGuest, tickerSpec } from "../harness/guests.js";
import type { Hosts } from "../harness/hosts.js";
import type { Bench, Suite } from "./bench.js";
import { startHosts } from "./bench-hosts.js";
import type { Stage } from "./controller-main.js";
import { Held } from "./held.js";
import type { RowId } from "./rows.js";

const STAGES: readonly Stage[] = ["prepared", "receiving", "loaded"];
const KILLS = 20;
const FREEZES = 5;
const GUESTS = ["one", "two", "three", "four", "five"] as const;
/** Nearly all of its 256 MiB are memory that was written and does not compress. */
const RAM_MIB = 200;

export const kills: Suite = {
  name: "killing the controller, and the destination agent",
  rows: [
    ...STAGES.map((stage) => `controller-killed-${stage}` as const),
    "controller-killed-five",
    "controller-killed-five-loaded",
    ...STAGES.map((stage) => `agent-killed-${stage}` as const),
  ],
  async run(bench) {
    const hosts = await startHosts(bench);
    const [, to] = hosts.pair;
    const five = bench.wants("controller-killed-five", "controller-killed-five-loaded");
    await startGuests(hosts, five ? GUESTS : ["one"]);

    for (const stage of STAGES) {
      await hit(bench, `controller-killed-${stage}`, hosts, { until: stage });
    }
    await hit(bench, "controller-killed-five", hosts, { until: "prepared", guestIds: GUESTS });
    await hit(bench, "controller-killed-five-loaded", hosts, { until: "loaded", guestIds: GUESTS });
    for (const stage of STAGES) {
      const row = `agent-killed-${stage}` as const;
      for (let run = 0; bench.wants(row) && run < bench.runs(KILLS); run += 1) {
        const held = await hold(bench, { hosts, guestIds: ["one"], until: stage });
        bench.record(row, Math.max(...(await held.goneAfter(() => void to.destination.kill9()))));
        await held.end();
        await to.destination.restart();
      }
    }
  },
};

export const freezes: Suite = {
  name: "freezing the controller",
  rows: ["controller-frozen-1s-3s", "controller-frozen-2s-8s"],
  async run(bench) {
    const rows = [
      ["controller-frozen-1s-3s", { timeMs: 1_000, timeoutMs: 3_000 }],
      ["controller-frozen-2s-8s", { timeMs: 2_000, timeoutMs: 8_000 }],
    ] as const;
    for (const [row, keepalive] of rows) {
      if (!bench.wants(row)) continue;
      const hosts = await startHosts(bench, { keepalive });
      await startGuests(hosts, ["one"]);
      for (let run = 0; run < bench.runs(FREEZES); run += 1) {
        const held = await hold(bench, { hosts, guestIds: ["one"], until: "loaded" });
        const freeze = () => void held.controller.kill("SIGSTOP");
        bench.record(row, Math.max(...(await held.goneAfter(freeze))));
        await held.end();
      }
    }
  },
};

/** Kills the controller. Of several guests the last one counts. */
async function hit(
  bench: Bench,
  row: RowId,
  hosts: Hosts,
  options: { until: Stage; guestIds?: readonly string[] },
): Promise<void> {
  for (let run = 0; bench.wants(row) && run < bench.runs(KILLS); run += 1) {
    const held = await hold(bench, { hosts, guestIds: ["one"], ...options });
    const kill = () => void held.controller.kill("SIGKILL");
    bench.record(row, Math.max(...(await held.goneAfter(kill))));
    await held.end();
  }
}

function hold(bench: Bench, options: Parameters<typeof Held.start>[0]): Promise<Held> {
  return bench.use(Held.start(options), (held) => held.end());
}

async function startGuests(hosts: Hosts, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const spec = tickerSpec(name, { memoryMib: 256, hz: 19, ram: RAM_MIB, check: 1 });
    const guest = await TestGuest.start(hosts.pair[0], spec);
    await guest.ticksOn(1); // it has written its memory by then
  }
}
