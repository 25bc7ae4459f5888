/* The walks that are taken, each with why it is taken on its own. */
import { FAULTS, LOST_DISK, LOST_DISK_OVERRIDES, OVERRIDES, type Places } from "./resting.js";
import { ALL_FAULTS, type Setting } from "./setting.js";

export interface Planned {
  readonly title: string;
  readonly setting: Setting;
  /** Where it comes to rest, if that is written down. */
  readonly places?: Places;
}

const ONE_FAULTLESS: Setting = {
  destinations: 1,
  agentsDie: false,
  qemusDie: false,
  keepersDie: false,
  powerFails: false,
  disksFail: false,
  disksRefuse: false,
  monitorsFail: false,
  contRefused: false,
  override: "never",
};

/** A few seconds each: these are part of `npm test`. */
export const QUICK: readonly Planned[] = [
  {
    title: "one destination, every fault but lost disks",
    setting: { ...ALL_FAULTS, disksFail: false },
    places: FAULTS,
  },
  {
    title: "one destination whose disk is lost, so that its id is prepared a second time",
    setting: { ...ONE_FAULTLESS, agentsDie: true, disksFail: true },
    places: LOST_DISK,
  },
  {
    title:
      "every fault of agents, QEMUs and hosts, and a person who overrides only hosts that are down",
    setting: { ...ALL_FAULTS, disksFail: false, disksRefuse: false, override: "truthful" },
    places: OVERRIDES,
  },
  {
    title:
      "agents die, a disk is lost, and a person overrides hosts that are down or have lost what they knew",
    setting: { ...ONE_FAULTLESS, agentsDie: true, disksFail: true, override: "truthful" },
    places: LOST_DISK_OVERRIDES,
  },
];

/** Minutes: `node test/dist/model/walk.js --full`. */
export const FULL: readonly Planned[] = [
  ...QUICK,
  {
    title: "every fault but lost disks, and a person who overrides only hosts that are down",
    setting: { ...ALL_FAULTS, disksFail: false, override: "truthful" },
  },
  { title: "one destination, every fault", setting: ALL_FAULTS },
  {
    title: "every fault, and a person who overrides only hosts that are down",
    setting: { ...ALL_FAULTS, override: "truthful" },
  },
  {
    title: "two destinations prepared under one id, agents and QEMUs die",
    setting: { ...ONE_FAULTLESS, destinations: 2, agentsDie: true, qemusDie: true },
  },
  {
    title: "two destinations prepared under one id, agents die and the power fails",
    setting: { ...ONE_FAULTLESS, destinations: 2, agentsDie: true, powerFails: true },
  },
];
