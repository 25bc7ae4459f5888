/* One thing that can happen next in a world, and what the world is afterwards. */
import type { World } from "./world.js";

export interface Happening {
  /** `source`, or a destination by its letter. */
  readonly who: string;
  readonly what: string;
  /** It happens by itself once faults have stopped and no controller gives orders. */
  readonly calm: boolean;
  readonly next: World;
  /** The law that this very act breaks, as a sentence. */
  readonly broken?: string | undefined;
}

export type Emit = (happening: Happening) => void;

/** What most happenings say: what, whether it is calm, the next world, and the law it breaks. */
export type Say = (what: string, calm: boolean, next: World, broken?: string) => void;

export function nameOf(destination: number): string {
  return destination === 0 ? "destination A" : "destination B";
}
