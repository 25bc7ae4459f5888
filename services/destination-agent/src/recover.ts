/*
 * After a restart: every arrival that was under way when the last agent died is settled as its
 * record says. Before `landing` its keeper killed it; from `landing` on its QEMU is looked at, and
 * nothing is disturbed.
 */
import { type DestinationPhase, destinationSettled } from "@ferry/protocol";
import { adoptQemu, readProcesses } from "@ferry/qemu";
import { Arrival } from "./arrival.js";
import type { Arrivals } from "./arrivals.js";
import { guard } from "./effects.js";

export async function recover(arrivals: Arrivals): Promise<void> {
  const { store } = arrivals.host;
  await arrivals.load();
  await Promise.all(
    (await store.arrivals.list()).map(async (record) => {
      // A record with a phase that is not in the table is not read; `preparing` is what an earlier release wrote first.
      const phase = record.arrival.phase as DestinationPhase;
      if (destinationSettled(phase)) return;
      const arrival = new Arrival(
        { ...arrivals.host, settled: (settled) => arrivals.settled(settled) },
        record,
        phase,
      );
      arrivals.add(arrival);
      await settle(arrival);
    }),
  );
}

async function settle(arrival: Arrival): Promise<void> {
  const { runDir } = arrival.record.guest;
  // An earlier release's record learnt of its QEMU only when it was prepared; the run directory knew it before.
  const processes = arrival.record.guest.processes ?? (await readProcesses(runDir));
  const died = { cause: "agent_died", reason: "the destination agent died" } as const;
  const found = processes === undefined ? undefined : await adoptQemu({ runDir, ...processes });
  if (found === undefined || "summary" in found) {
    // In `landing` this is `perished`: heard alone, since nothing is left to look at.
    await arrival.hear("qemuGone", died);
    return;
  }
  guard(arrival, found);
  await arrival.hear("restarted", died);
}
