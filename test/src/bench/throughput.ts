/*
 * How fast memory moves that cannot be compressed: through the tunnel, and QEMU to QEMU with and
 * without encryption, turn by turn. Meanwhile the tunnel's two pumps are weighed.
 */
import type { MigrationRun, Transport } from "@ferry/client";
import { TestGuest, tickerSpec } from "../harness/guests.js";
import type { TestHost } from "../harness/hosts.js";
import { processesMentioning } from "../harness/processes.js";
import { until } from "../harness/until.js";
import type { Suite } from "./bench.js";
import { startHosts } from "./bench-hosts.js";
import { peakBytes } from "./memory-of.js";
import { moveWithFerry } from "./move.js";

const ROUNDS = 5;
const RAM_MIB = 840;
const RANDOM_BYTES = RAM_MIB * 1024 * 1024;
const MB = 1e6;
/** The guest fills its memory by itself, which takes a while without hardware to run it. */
const FILL_MS = 180_000;
const WEIGH_MS = 50;

export const throughput: Suite = {
  name: "moving 840 MiB of random memory",
  rows: ["tunnel", "tunnel-plain", "memory-pump"],
  async run(bench) {
    const hosts = await startHosts(bench, { config: { migration: { allow_plain: true } } });
    let [from, to]: readonly [TestHost, TestHost] = hosts.pair;
    const spec = tickerSpec("big", { memoryMib: 1024, hz: 19, ram: RAM_MIB, check: 1 });
    const guest = await TestGuest.start(from, spec);
    await until("the guest to fill its memory", () => guest.read().ticks > 0, FILL_MS);

    const speed = async (transport: Transport, begun?: (run: MigrationRun) => void) => {
      const times = await moveWithFerry({
        guestId: "big",
        from,
        to,
        transport,
        begun: ({ run }) => begun?.(run),
      });
      [from, to] = [to, from];
      return RANDOM_BYTES / MB / (times.qemuMs / 1_000);
    };
    for (let round = 0; round < bench.runs(ROUNDS); round += 1) {
      const direct = await speed("direct");
      const pumps = new Scale();
      const tunnel = await speed("tunnel", (run) => pumps.weigh(run.migrationId)).finally(() =>
        pumps.stop(),
      );
      bench.record("tunnel", tunnel, direct);
      for (const bytes of pumps.peaks.values()) bench.record("memory-pump", bytes / MB);
      if (bench.wants("tunnel-plain")) {
        bench.record("tunnel-plain", tunnel, await speed("direct_plain"));
      }
    }
  },
};

/** Weighs the pumps of one migration until told to stop: they end with it. */
class Scale {
  readonly peaks = new Map<number, number>();
  #timer: NodeJS.Timeout | undefined;

  weigh(migrationId: string): void {
    for (const { pid } of processesMentioning(migrationId)) this.peaks.set(pid, 0);
    this.#timer = setInterval(() => {
      for (const [pid, peak] of this.peaks) this.peaks.set(pid, Math.max(peak, peakBytes(pid)));
    }, WEIGH_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
