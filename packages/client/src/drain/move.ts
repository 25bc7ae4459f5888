/* One move of a drain, from `migrate()` to the ending that the drain judges. */
import type { Bounds } from "../bounds.js";
import type { Host } from "../host.js";
import { migrate } from "../migrate.js";
import { MigrationRefused } from "../outcome.js";
import type { Transport } from "../transport.js";
import type { Active } from "./waiting.js";
import type { Ending, NamedHost } from "./words.js";

/** A move in a drain gives up sooner than one by hand: there is another target, or another turn. */
const BOUNDS: Partial<Bounds> = { prepareMs: 45_000 };

export interface MoveOptions {
  readonly from: NamedHost;
  readonly transport: Transport | undefined;
  readonly network: string | undefined;
  readonly downtimeLimitMs: number | undefined;
  readonly heartbeatMs: number | undefined;
  /** Of this copy alone. */
  readonly bandwidthBytesPerSecond: number | undefined;
  readonly bounds: Partial<Bounds>;
}

/** Moves it, keeps its progress in `active`, and calls `tell` after every change of that. */
export async function moveOnce(
  active: Active,
  to: Host,
  options: MoveOptions,
  tell: () => void,
): Promise<Ending> {
  const {
    from,
    transport,
    network,
    downtimeLimitMs,
    heartbeatMs,
    bandwidthBytesPerSecond,
    bounds,
  } = options;
  const run = migrate({
    guestId: active.waiting.guestId,
    from: from.host,
    to,
    transport,
    network,
    downtimeLimitMs,
    heartbeatMs,
    bandwidthBytesPerSecond,
    migrationId: active.migrationId,
    signal: active.abort.signal,
    bounds: { ...BOUNDS, ...bounds },
  });
  try {
    for await (const event of run) {
      if (event.kind === "phase" && event.role === "source") active.phase = event.phase;
      else if (event.kind === "progress") {
        active.phase = "performing";
        active.ratio = event.progress.ratio;
        active.transferBytesPerSecond = event.progress.transferBytesPerSecond;
      } else continue;
      tell();
    }
    return { outcome: await run.result };
  } catch (error) {
    if (!(error instanceof MigrationRefused)) throw error;
    const { fault, message } = error;
    return {
      refused: {
        reason: fault?.reason ?? "SILENCE",
        description: message,
        blockers: fault?.blockers ?? [],
        retryAfterMs: fault?.retryAfterMs,
      },
    };
  }
}
