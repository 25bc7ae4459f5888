/*
 * Whether what is left of a guest is anybody's, and if it is nobody's, whether it may be removed.
 * Pure: what was seen comes in, and everything is told with its reason.
 *
 * A guest is being launched, or tidied away, when its run directory is young; and an agent holds it
 * while a keeper that was not freed lives, since such a keeper does not outlive its agent. A QEMU may
 * be killed without asking anybody only if no record names it, nobody guards it, and its guest never
 * ran: whatever may have run might be somebody's only copy, and its record may only have been lost.
 */
import type { Trace } from "@ferry/qemu";
import type { ORPHAN_KINDS } from "./metrics.js";
import type { EndingRecord } from "./records.js";

export type OrphanWord = (typeof ORPHAN_KINDS)[number];

/** What is younger than this may be about to get its record, in milliseconds. */
export const YOUNG_MS = 60_000;

export interface Circumstances {
  /** How the arrival ended that had it, if one is remembered. */
  readonly ending: EndingRecord | undefined;
  /** Whether the guest ever ran, as its QEMU says; undefined if it does not say. */
  readonly everRan: boolean | undefined;
  /** Set if nothing at all may be swept now: why. */
  readonly keepAll: string;
  /** A person ordered the sweep. */
  readonly asked: boolean;
}

export interface Judged {
  readonly kind: OrphanWord;
  readonly subject: string;
  readonly reason: string;
  /** Why it must not be removed; "" if it may. */
  readonly keep: string;
}

/** Nothing that might be owned in a moment, or is being tidied away by its owner at this one. */
export function isSettled({ directory, qemus, keepers, cgroups }: Trace): boolean {
  if (directory !== undefined) {
    const unguarded = qemus.length > 0 && keepers.length === 0;
    return unguarded || directory.ageMs >= YOUNG_MS;
  }
  if (qemus.length > 0 || keepers.length > 0) return true;
  return cgroups.some((cgroup) => isNobodys(cgroup, { directory, qemus, keepers }));
}

/** Alone, a cgroup is known by its name only: with a process in it, it might be another Ferry's. */
function isNobodys(
  { empty, ageMs }: Trace["cgroups"][number],
  { directory, qemus, keepers }: Omit<Trace, "name" | "runDir" | "cgroups">,
): boolean {
  const alone = directory === undefined && qemus.length === 0 && keepers.length === 0;
  return !alone || (empty && ageMs >= YOUNG_MS);
}

/** Everything there is of a trace that no record and no agent owns. */
export function judge(trace: Trace, circumstances: Circumstances): Judged[] {
  const { directory, qemus, keepers, cgroups } = trace;
  const why = whyNobodys(circumstances.ending);
  const keepQemu = keepQemuBecause(trace, circumstances);
  const lives = qemus.length > 0 || keepers.length > 0;
  const keepRest = circumstances.keepAll || (lives ? keepQemu : keepDeadBecause(circumstances));
  return [
    ...qemus.map(({ identity }) => ({
      kind: "process" as const,
      subject: `pid ${identity.pid}`,
      reason: `QEMU in ${trace.runDir}: ${why}; ${keeperOf(trace)}; ${ranOf(circumstances)}`,
      keep: keepQemu,
    })),
    ...keepers.map(({ identity }) => ({
      kind: "process" as const,
      subject: `pid ${identity.pid}`,
      reason: `keeper in ${trace.runDir}: ${why}`,
      keep: circumstances.keepAll || "a keeper ends by itself, as soon as its QEMU has",
    })),
    ...(directory === undefined
      ? []
      : [
          {
            kind: "run_directory" as const,
            subject: directory.path,
            reason: lives ? `${why}, as for what lives in it` : `${why}, and nothing lives in it`,
            keep: keepRest,
          },
        ]),
    ...cgroups
      .filter((cgroup) => isNobodys(cgroup, trace))
      .map(({ path }) => ({
        kind: "cgroup" as const,
        subject: path,
        reason: lives ? `${why}, as for what lives in it` : `${why}, and no process is in it`,
        keep: keepRest,
      })),
  ];
}

function whyNobodys(ending: EndingRecord | undefined): string {
  if (ending === undefined) return "no record of a guest or an arrival names it";
  const { migrationId, guestId, phase } = ending;
  return `it was left by migration ${migrationId} of guest ${guestId}, which ended here (${phase})`;
}

function keeperOf({ keepers }: Trace): string {
  if (keepers.length === 0) return "its keeper is gone";
  return keepers.every(({ phase }) => phase === "freed")
    ? "its keeper lives, and was freed"
    : "its keeper lives, and was not freed";
}

function ranOf({ everRan }: Circumstances): string {
  if (everRan === undefined) return "it does not say whether its guest ever ran";
  return everRan ? "its guest runs, or may have run" : "its guest never ran";
}

function keepQemuBecause(trace: Trace, { keepAll, everRan, ending }: Circumstances): string {
  const { qemus, keepers } = trace;
  const pids = qemus.map(({ identity }) => identity.pid).join(" ");
  const byHand = `if nobody wants it, end it by hand (kill -KILL ${pids}) and sweep again`;
  if (keepAll !== "") return keepAll;
  if (keepers.some(({ phase }) => phase !== "freed")) {
    return "its keeper guards it for an agent, and ends it when that agent dies";
  }
  if (ending?.phase === "perished") return `its guest perished, and a person decides: ${byHand}`;
  if (keepers.length > 0) return `it was freed, so its guest was somebody's: ${byHand}`;
  if (qemus.some(({ atHome }) => !atHome)) {
    return `its run directory is gone, so it cannot be asked whether its guest ever ran: ${byHand}`;
  }
  if (everRan === undefined) return `it does not say whether its guest ever ran: ${byHand}`;
  if (everRan) return `its guest may have run, and this may be its only copy: ${byHand}`;
  return "";
}

/** A guest that perished leaves its QEMU's last words, until a person has seen them. */
function keepDeadBecause({ ending, asked }: Circumstances): string {
  if (ending?.phase !== "perished" || asked) return "";
  return "its guest perished: look at qemu.log and last-word in it, then sweep";
}
