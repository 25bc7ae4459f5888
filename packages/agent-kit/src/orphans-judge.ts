/*
 * Whether what is left of a guest may be somebody's, and if it is nobody's, whether it may be removed.
 * Pure: what was seen comes in, and everything is told with its reason.
 *
 * A guest is being launched, or tidied away, while its run directory is young; and an agent holds it
 * while a keeper lives that was not freed, since such a keeper does not outlive its agent. A QEMU may
 * be killed without asking anybody only if no record names it, nobody guards it, and its guest never
 * ran: whatever may have run might be somebody's only copy, and its record may only have been lost.
 */
import type { Trace } from "@ferry/qemu";
import type { ORPHAN_KINDS } from "./metrics.js";
import type { EndingRecord } from "./records.js";

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
  readonly kind: (typeof ORPHAN_KINDS)[number];
  readonly subject: string;
  readonly reason: string;
  /** Why it must not be removed; "" if it may. */
  readonly keep: string;
}

/** What of a trace is old enough to be judged; undefined: nothing. */
export function settled(trace: Trace, youngMs = YOUNG_MS): Trace | undefined {
  const { directory, qemus, keepers, cgroups } = trace;
  const unguarded = qemus.length > 0 && keepers.length === 0;
  if (directory !== undefined) {
    return unguarded || directory.ageMs >= youngMs ? trace : undefined;
  }
  if (qemus.length > 0 || keepers.length > 0) return trace;
  // Known by their name alone: with a process in it, one might be another Ferry's.
  const alone = cgroups.filter(({ empty, ageMs }) => empty && ageMs >= youngMs);
  return alone.length === 0 ? undefined : { ...trace, cgroups: alone };
}

/** Everything there is of a settled trace that no record and no agent owns. */
export function judge(trace: Trace, circumstances: Circumstances): Judged[] {
  const { directory, qemus, keepers, cgroups, runDir } = trace;
  const why = whyNobodys(circumstances.ending);
  const lives = qemus.length > 0 || keepers.length > 0;
  const keepQemu = keepQemuBecause(trace, circumstances);
  const keepPlace = lives ? keepQemu : keepPlaceBecause(circumstances);
  const place = (kind: Judged["kind"], subject: string): Judged => ({
    kind,
    subject,
    reason: lives ? `${why}, nor what lives in it` : `${why}, and nothing lives in it`,
    keep: keepPlace,
  });
  const life = (pid: number, reason: string, keep: string): Judged => ({
    kind: "process",
    subject: `pid ${pid}`,
    reason,
    keep,
  });
  return [
    ...qemus.map(({ identity: { pid } }) => {
      const reason = `QEMU in ${runDir}: ${why}; ${keeperOf(trace)}; ${ranOf(circumstances)}`;
      return life(pid, reason, keepQemu);
    }),
    ...keepers.map(({ identity: { pid } }) =>
      life(pid, `keeper in ${runDir}: ${why}`, circumstances.keepAll || KEEPER_ENDS),
    ),
    ...(directory === undefined ? [] : [place("run_directory", directory.path)]),
    ...cgroups.map(({ path }) => place("cgroup", path)),
  ];
}

const KEEPER_ENDS = "a keeper ends by itself, as soon as its QEMU has";

function whyNobodys(ending: EndingRecord | undefined): string {
  if (ending === undefined) return "no record of a guest or an arrival names it";
  const { migrationId, guestId, phase } = ending;
  return `no record names it since migration ${migrationId} of guest ${guestId} ended (${phase})`;
}

function keeperOf({ keepers }: Trace): string {
  if (keepers.length === 0) return "its keeper is gone";
  const freed = keepers.every(({ phase }) => phase === "freed");
  return `its keeper lives, and was ${freed ? "" : "not "}freed`;
}

function ranOf({ everRan }: Circumstances): string {
  if (everRan === undefined) return "it does not say whether its guest ever ran";
  return everRan ? "its guest runs, or has run" : "its guest never ran";
}

function keepQemuBecause(
  { qemus, keepers }: Trace,
  { keepAll, everRan, ending }: Circumstances,
): string {
  if (keepAll !== "") return keepAll;
  if (qemus.length === 0) return KEEPER_ENDS;
  if (keepers.some(({ phase }) => phase !== "freed")) {
    return "its keeper guards it for an agent, and ends it when that agent dies";
  }
  const pids = qemus.map(({ identity }) => identity.pid).join(" ");
  const byHand = `if nobody wants it, end it by hand (kill -KILL ${pids}) and sweep again`;
  if (isUndecided(ending)) return `its guest perished, and a person decides: ${byHand}`;
  if (keepers.length > 0) return `it was freed, so its guest was somebody's: ${byHand}`;
  if (qemus.some(({ atHome }) => !atHome)) {
    return `its run directory is gone, so it cannot be asked whether its guest ever ran: ${byHand}`;
  }
  if (everRan === undefined) return `it does not say whether its guest ever ran: ${byHand}`;
  if (everRan) return `its guest may run, and this may be the only copy: ${byHand}`;
  return "";
}

/** Nobody has decided yet about a guest that perished. */
function isUndecided(ending: EndingRecord | undefined): boolean {
  return ending?.phase === "perished" && ending.decided !== true;
}

/** A guest that perished leaves its QEMU's last words, until a person has seen them. */
function keepPlaceBecause({ keepAll, ending, asked }: Circumstances): string {
  if (keepAll !== "" || !isUndecided(ending) || asked) return keepAll;
  return "its guest perished: look at qemu.log and last-word in it, then sweep";
}
