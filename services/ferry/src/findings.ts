/*
 * What is wrong on a host, in words a person can act on: what was found, and what to do next. Pure;
 * `ferry doctor` asks the agents and prints.
 */
import { guestStateName } from "@ferry/client";
import { type Guest, GuestState, type Migration, type Orphan, OrphanKind } from "@ferry/contract";
import { formatDuration } from "./units.js";

export interface Finding {
  readonly kind: "agent" | "certificate" | "guest" | "migration" | "orphan";
  readonly subject: string;
  /** What was found. */
  readonly what: string;
  /** What to do about it. */
  readonly next: string;
}

/** A certificate that ends sooner than this should have been replaced, in milliseconds. */
export const EXPIRES_SOON_MS = 14 * 24 * 60 * 60 * 1_000;
/** Most migrations are over by then; one that is not is worth a look, in milliseconds. */
export const UNSETTLED_LONG_MS = 60_000;
const DAY_MS = 24 * 60 * 60 * 1_000;

export function certificateFindings(whose: string, validTo: Date, now: Date): Finding[] {
  const leftMs = validTo.getTime() - now.getTime();
  if (leftMs >= EXPIRES_SOON_MS) return [];
  const when = validTo.toISOString().slice(0, 16).replace("T", " ");
  return [
    {
      kind: "certificate",
      subject: whose,
      what:
        leftMs <= 0
          ? `its certificate ended on ${when} UTC`
          : `its certificate ends on ${when} UTC, in ${Math.floor(leftMs / DAY_MS)} days`,
      next: "Put a new one in its place (`ferry certs`, or your own CA); agents take it up by themselves.",
    },
  ];
}

export function guestFindings(guests: readonly Guest[]): Finding[] {
  return guests.flatMap((guest) => {
    const next = GUEST_NEXT[guest.state]?.(guest);
    if (next === undefined) return [];
    const why = guest.reason === "" ? "" : `: ${guest.reason}`;
    const what = `is ${guestStateName(guest.state)}${why}`;
    return [{ kind: "guest", subject: `guest ${guest.guestId}`, what, next }];
  });
}

const GUEST_NEXT: Partial<Record<GuestState, (guest: Guest) => string>> = {
  [GuestState.LOST]: ({ guestId, migrationId }) =>
    migrationId === ""
      ? `Its QEMU is gone: start it again with \`ferry start\`, or forget it with \`ferry stop ${guestId}\`.`
      : `Its QEMU is gone in the middle of a migration: \`ferry resolve ${migrationId}\` says where it lives.`,
  [GuestState.UNREACHABLE]: ({ guestId, qemuPid }) =>
    `It runs on as process ${qemuPid}, and nobody can ask it to move: end what holds its monitor, or shut it down from inside. \`ferry stop ${guestId}\` kills it.`,
  [GuestState.ERROR]: ({ guestId, consolePath }) =>
    `Look at its console (${consolePath || "none"}) and its disks; then \`ferry resume ${guestId}\` or \`ferry stop ${guestId}\`.`,
};

/** Of both ends of a migration, each that is not settled. */
export function migrationFindings(migrations: readonly Migration[], now: Date): Finding[] {
  return migrations.flatMap((migration) => {
    const { settled, startedAt, migrationId, guestId, phase, reason, progress } = migration;
    const ageMs = startedAt === undefined ? 0 : now.getTime() - startedAt.getTime();
    if (settled || ageMs < UNSETTLED_LONG_MS) return [];
    const copied =
      progress === undefined ? "" : `, ${Math.floor(progress.ratio * 100)} % of its memory copied`;
    const why = reason === "" ? "" : `: ${reason}`;
    return [
      {
        kind: "migration",
        subject: `migration ${migrationId}`,
        what: `guest ${guestId} is ${phase} for ${formatDuration(ageMs)}${copied}${why}`,
        next: `\`ferry watch ${migrationId}\` shows whether it goes on; \`ferry resolve ${migrationId}\` asks both ends how it stands.`,
      },
    ];
  });
}

/** What was left behind, and is still there. */
export function orphanFindings(orphans: readonly Orphan[]): Finding[] {
  return orphans
    .filter(({ swept }) => !swept)
    .map(({ kind, subject, reason, keptBecause }) => ({
      kind: "orphan",
      subject: `${ORPHANS[kind] ?? "orphan"} ${subject}`,
      what: reason,
      next:
        kind === OrphanKind.RECORD
          ? "Find out where its guest runs, then move the record out of the state directory: nothing is swept until then."
          : keptBecause === ""
            ? "`ferry doctor --sweep` removes it, or says why it must not."
            : `It was kept: ${keptBecause}.`,
    }));
}

/** What was swept, one line each. */
export function sweptLines(orphans: readonly Orphan[]): string[] {
  return orphans
    .filter(({ swept }) => swept)
    .map(
      ({ kind, subject, reason }) => `swept ${ORPHANS[kind] ?? "orphan"} ${subject} (${reason})`,
    );
}

const ORPHANS: Partial<Record<OrphanKind, string>> = {
  [OrphanKind.PROCESS]: "process",
  [OrphanKind.RUN_DIRECTORY]: "run directory",
  [OrphanKind.CGROUP]: "cgroup",
  [OrphanKind.RECORD]: "record",
};

/** Both agents of a host see the same orphans: each once, as swept if either swept it. */
export function merged(answers: readonly (readonly Orphan[])[]): Orphan[] {
  const all = new Map<string, Orphan>();
  for (const orphan of answers.flat()) {
    const key = `${orphan.kind} ${orphan.subject}`;
    const known = all.get(key);
    if (known === undefined || (orphan.swept && !known.swept)) all.set(key, orphan);
  }
  return [...all.values()];
}
