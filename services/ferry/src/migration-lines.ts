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

export function migrationTable(all: readonly Seen[]): string {
  const order = ({ migration }: Seen) =>
    `${migration.guestId} ${migration.migrationId} ${migration.role}`;
  const rows = [...all].sort((a, b) => order(a).localeCompare(order(b)));
  return table(
    ["MIGRATION", "GUEST", "END", "PHASE", "VERDICT", "COPY", "NOTE", "HOST"],
    rows.map((seen) => [...cells(seen), seen.host]),
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

/** A line that does not wrap. */
export function shorten(line: string, width: number): string {
  return line.length > width ? `${line.slice(0, Math.max(0, width - 1))}…` : line;
}
