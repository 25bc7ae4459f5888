/* Guests, as people read them. */
import { guestStateName } from "@ferry/client";
import type { Guest } from "@ferry/contract";
import type { Residence } from "./fleet.js";
import { table } from "./table.js";
import { formatBytes } from "./units.js";

export function guestLine(guest: Guest, host: string): string {
  const why = guest.reason === "" ? "" : ` (${guest.reason})`;
  return `${guest.guestId} is ${guestStateName(guest.state)} on ${host}${why}`;
}

export function guestTable(residences: readonly Residence[]): string {
  return table(
    ["GUEST", "HOST", "STATE", "VCPUS", "MEMORY", "QEMU", "MIGRATION", "SINCE"],
    residences.map(({ host, guest }) => [
      guest.guestId,
      host,
      guestStateName(guest.state) + (guest.reason === "" ? "" : `: ${guest.reason}`),
      `${guest.spec?.vcpus ?? ""}`,
      formatBytes(Number(guest.spec?.memoryBytes ?? 0)),
      guest.qemuVersion,
      guest.migrationId || "-",
      guest.since?.toISOString().replace(/\.[0-9]+Z$/, "Z") ?? "-",
    ]),
  );
}
