/* What a drain was asked, with every default filled in. */
import type { Bounds } from "../bounds.js";
import type { Transport } from "../transport.js";
import type { NamedHost, PlanOptions } from "./words.js";

export interface RunOptions extends PlanOptions {
  readonly from: NamedHost;
  readonly to: readonly NamedHost[];
  readonly transport: Transport | undefined;
  readonly network: string | undefined;
  readonly downtimeLimitMs: number | undefined;
  readonly heartbeatMs: number | undefined;
  /** How long a guest may wait for what passes (a slot, another migration), in milliseconds. */
  readonly patienceMs: number;
  readonly bounds: Partial<Bounds>;
}
