/* Migrations, as people read them. */
import { fromWireCause, fromWireVerdict } from "@ferry/client";
import { type Migration, Role } from "@ferry/contract";
import { table } from "./table.js";
import { formatDuration, formatRate } from "./units.js";

/** A migration as one agent of a host told it. */
export interface Seen {
  readonly host: string;
  readonly migration: Migration;
}

export function migrationLine(seen: Seen): string {
  const { host, migration } = seen;
  const [, , end, phase, verdict, progress, note] = cells(seen);
  const rest = [verdict, progress, note].filter((each) => each !== "" && each !== "-");
  return [`${migration.migrationId} ${migration.guestId} ${end}@${host} ${phase}`, ...rest].join(
    "  ",
  );
}

/** What a narrow terminal cuts off first stands last; those under way stand below those that have ended. */
export function migrationTable(all: readonly Seen[]): string {
  const order = ({ migration }: Seen) =>
    `${migration.guestId} ${migration.migrationId} ${migration.role}`;
  const rows = [...all].sort(
    (a, b) =>
      Number(b.migration.settled) - Number(a.migration.settled) || order(a).localeCompare(order(b)),
  );
  return table(
    ["GUEST", "END", "HOST", "PHASE", "COPY", "VERDICT", "MIGRATION", "NOTE"],
    rows.map((seen) => {
      const [id = "", guest = "", end = "", phase = "", verdict = "", copy = "", note = ""] =
        cells(seen);
      return [guest, end, seen.host, phase, copy, verdict, id, note];
    }),
  );
}

function cells({ migration }: Seen): string[] {
  const { progress, downtime, reason, cause } = migration;
  const copy =
    progress === undefined || migration.settled
      ? "-"
      : `${Math.floor(progress.ratio * 100)}% ${formatRate(Number(progress.transferBytesPerSecond))}`;
  const note =
    downtime === undefined
      ? [fromWireCause(cause)?.replaceAll("_", " "), reason].filter(Boolean).join(": ")
      : `blackout ${formatDuration(Number(downtime.value))}`;
  return [
    migration.migrationId,
    migration.guestId,
    migration.role === Role.SOURCE ? "source" : "destination",
    migration.phase,
    fromWireVerdict(migration.verdict) ?? "pending",
    copy,
    note || "-",
  ];
}
