import type { Progress as WireProgress } from "@ferry/contract";
import type { Progress } from "@ferry/qemu";

/** One object per measurement, so that a watcher can tell whether it has shown it. */
const converted = new WeakMap<Progress, WireProgress>();

export function toWireProgress(progress: Progress | undefined): WireProgress | undefined {
  if (progress === undefined) return undefined;
  const known = converted.get(progress);
  if (known !== undefined) return known;
  const wire: WireProgress = {
    transferredBytes: whole(progress.transferredBytes),
    remainingBytes: whole(progress.remainingBytes),
    totalBytes: whole(progress.totalBytes),
    dirtyBytesPerSecond: whole(progress.dirtyBytesPerSecond),
    transferBytesPerSecond: whole(progress.transferBytesPerSecond),
    iteration: progress.iteration,
    ratio: progress.ratio,
    eta:
      progress.etaMs === undefined ? undefined : { $case: "etaMs", value: whole(progress.etaMs) },
    expectedDowntimeMs: whole(progress.expectedDowntimeMs),
  };
  converted.set(progress, wire);
  return wire;
}

function whole(number: number): bigint {
  return BigInt(Math.max(0, Math.round(number)));
}
