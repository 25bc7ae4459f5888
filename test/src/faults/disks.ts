/* Disks that are full, or refuse, tear or delay what is written on them. */
import { type Fault, hostOf, type Scene } from "./fault.js";
import { fill, fillRun, makeRoom } from "./full-disk.js";
import type { DiskMode } from "./hooks.js";
import { ROLES, type Role, type StageHost } from "./stage.js";

export type DiskBreak = "full" | Exclude<DiskMode, "good">;

export function disk(how: DiskBreak, role: Role): Fault {
  const words: Record<DiskBreak, string> = {
    full: "is full",
    readOnly: "is read-only",
    torn: "tears every file that is written, and says so",
    slow: "takes 150 ms for every step",
  };
  const tell = (scene: Scene, mode: DiskMode) => {
    const { agents } = hostOf(role, scene);
    for (const each of ROLES) agents[each]?.tell({ kind: "disk", mode });
  };
  return {
    words: `the ${role} host's state directory ${words[how]}`,
    lasts: true,
    cuts: false,
    ...(how === "slow" ? {} : { refuses: role }),
    inject: (scene) => {
      if (how === "full") fill(hostOf(role, scene).stateDir);
      else tell(scene, how);
    },
    mend: (scene) => {
      if (how === "full") makeRoom(hostOf(role, scene).stateDir);
      else tell(scene, "good");
    },
  };
}

/** Disks that are filled, at one host or at both. */
export function full(
  which: Role | "both",
  { what, ...how }: { what: string; fill(host: StageHost): void; makeRoom(host: StageHost): void },
): Fault {
  const hosts = (scene: Scene) =>
    which === "both" ? [scene.from, scene.to] : [hostOf(which, scene)];
  return {
    words:
      which === "both" ? `both hosts' ${what} are full` : `the ${which} host's ${what} is full`,
    lasts: true,
    cuts: false,
    inject: (scene) => hosts(scene).forEach(how.fill),
    mend: (scene) => hosts(scene).forEach(how.makeRoom),
  };
}

export const STATE = {
  what: "state directories",
  fill: ({ stateDir }: StageHost) => fill(stateDir),
  makeRoom: ({ stateDir }: StageHost) => makeRoom(stateDir),
};
export const runOf = (which: Role | "both") => ({
  what: which === "both" ? "run directories" : "run directory",
  fill: ({ runDir }: StageHost) => fillRun(runDir),
  makeRoom: ({ runDir }: StageHost) => makeRoom(runDir),
});
