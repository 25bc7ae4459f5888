/* Removing one orphan, part by part, as far as it was judged that it may be. */
import { endOrphan, removeOrphanCgroup, removeOrphanDirectory, type Trace } from "@ferry/qemu";
import type { Judged } from "./orphans-judge.js";

export interface OrphanFound {
  readonly kind: Judged["kind"];
  readonly subject: string;
  readonly reason: string;
  readonly swept: boolean;
  /** Why it was not swept, though that was wanted; "" otherwise. */
  readonly keptBecause: string;
}

export interface Orphan {
  readonly trace: Trace;
  readonly judged: readonly Judged[];
}

/** First what lives, then where it lived. */
export async function remove({ trace, judged }: Orphan): Promise<OrphanFound[]> {
  const { qemus, directory, cgroups, runDir } = trace;
  const kept = new Map(judged.map(({ subject, keep }) => [subject, keep]));
  const tryTo = async (subject: string, work: () => Promise<string>) => {
    if (kept.get(subject) === "") kept.set(subject, await work().catch(words));
    return kept.get(subject) === "";
  };
  let empty = true;
  for (const { identity } of qemus) {
    empty = (await tryTo(`pid ${identity.pid}`, () => endOrphan(identity))) && empty;
  }
  const ifEmpty = async (work: () => Promise<string>) =>
    empty ? work() : "what lives in it did not end";
  if (directory !== undefined) {
    await tryTo(directory.path, () => ifEmpty(() => removeOrphanDirectory(directory)));
  }
  for (const { path } of cgroups) {
    await tryTo(path, () => ifEmpty(() => removeOrphanCgroup(path, runDir)));
  }
  return judged.map((each) => {
    const keptBecause = kept.get(each.subject) ?? "";
    return told(each, keptBecause === "", keptBecause);
  });
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** As it was judged, and what became of it. */
export function told(
  { kind, subject, reason }: Judged,
  swept = false,
  keptBecause = "",
): OrphanFound {
  return { kind, subject, reason, swept, keptBecause };
}
