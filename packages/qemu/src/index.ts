export { type AdoptOptions, adoptQemu } from "./adopt.js";
export { type InstalledQemu, installQemu, removeUnusedQemus } from "./bundle.js";
export { type CgroupPlacement, makePlacement } from "./cgroup.js";
export { cgroupsEverywhere } from "./cgroup-auto.js";
export { type CommandLineOptions, commandLine } from "./command-line.js";
export { consolePath } from "./console.js";
export { CONVERGENCES, type Convergence } from "./convergence.js";
export { type CpuDifference, compareCpu, expandCpu, expandCpuOnHost, neededOf } from "./cpu.js";
export type { Endpoint } from "./endpoint.js";
export type { ProcessIdentity } from "./identity.js";
export {
  type IncomingNews,
  lookIncoming,
  openIncoming,
  PortTaken,
  watchIncoming,
} from "./incoming.js";
export type { Keeper } from "./keeper.js";
export { installKeeper } from "./keeper-script.js";
export { type KvmProbe, probeKvm } from "./kvm.js";
export type { Death } from "./last-word.js";
export { type LaunchOptions, launchQemu } from "./launch.js";
export { wantedBy } from "./launch-want.js";
export { findTraces, type Places, type Seen, type Trace } from "./orphans.js";
export {
  endOrphan,
  everRan,
  removeOrphanCgroup,
  removeOrphanDirectory,
  removeSwept,
} from "./orphans-sweep.js";
export {
  beginOutgoing,
  cancelOutgoing,
  continueOutgoing,
  type OutgoingNews,
  type OutgoingOptions,
  presetOutgoing,
  putBackOutgoing,
  readyOutgoing,
  setBandwidth,
  setDowntimeLimit,
  watchOutgoing,
  yankOutgoing,
} from "./outgoing.js";
export {
  fingerprintOutgoing,
  lookOutgoing,
  migrationBlockers,
  type Outgoing,
  type OutgoingState,
} from "./outgoing-look.js";
export { checkPaths, type PathProblem } from "./paths.js";
export { probeQemu, type QemuProbe } from "./probe.js";
export { type Processes, readProcesses } from "./processes.js";
export { type Progress, ProgressMeter } from "./progress.js";
export { removePskFile, writePskFile } from "./psk.js";
export { findUser, giveToQemu, qemuDirectory, type RunAs } from "./run-as.js";
export { makeRunDirectory, qemuLivingIn, removeRunDirectory } from "./run-directory.js";
export type { GuestBoot, GuestDisk, GuestNic, GuestSpec } from "./spec.js";
export { checkSpec, type SpecProblem } from "./spec-form.js";
export { cont, look, powerdown, type RunState, stop } from "./vcpu.js";
