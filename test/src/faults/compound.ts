/* Two faults, one after the other: what a single one leaves behind is where the second one bites. */
import type { Ending } from "./ending.js";
import { FAULTS, type FaultId } from "./faults.js";
import type { Instant } from "./instants.js";
import { close, type End, open, reach, release } from "./scene.js";
import type { Stage } from "./stage.js";
import { until } from "./until.js";

export interface Compound {
  readonly words: string;
  readonly instant: Instant;
  /** Goes on until the second one is over. */
  readonly first: FaultId;
  readonly second: FaultId;
  readonly ending: Ending;
}

/** The source takes its guest back because it cannot write, and its agent dies before the disk is mended. */
export const COMPOUNDS: readonly Compound[] = [
  {
    words: "the source cannot write `released`, and its agent is killed while the guest runs on",
    instant: "completed",
    first: "readOnly:source",
    second: "killSourceAgent",
    ending: "source",
  },
];

export async function runCompound(stage: Stage, compound: Compound): Promise<End> {
  const { instant, first, second } = compound;
  const scene = await open(stage, instant);
  await reach(scene, instant);
  await FAULTS[first].inject(scene);
  release(scene, instant);
  await until("the source to run its guest again", () => scene.witness.on("host-1")?.runsNow);
  await FAULTS[second].inject(scene);
  await FAULTS[second].mend(scene);
  await FAULTS[first].mend(scene);
  await stage.ready();
  return close(scene);
}
