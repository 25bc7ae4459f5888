/* What the phases of the source's table mean to those who ask about a departure. Pure. */
import type { SourcePhase } from "@ferry/protocol";

type Phases = ReadonlySet<SourcePhase>;

/** Written by renaming an ending that was written beforehand. */
export const CLOSED: Phases = new Set(["kept", "gone", "departed"]);

/** A failed migration has the guest back, or has lost it at home. */
export const FAILED: Phases = new Set(["kept", "reclaimed", "lost", "gone"]);

/** Custody is not here. */
export const AWAY: Phases = new Set(["released", "bereft", "destroying", "givingUp", "departed"]);

/** Custody was given away, and may have come back. */
export const RELEASED: Phases = new Set([...AWAY, "resuming"]);

/** Only the destination's word ends these. */
export const AWAITS: Phases = new Set(["released", "bereft", "reclaimed", "lost"]);
