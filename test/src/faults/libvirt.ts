/*
 * What libvirt 9.0 does in the same case, with the same QEMU 7.2 and guests: two daemons in two network
 * namespaces, measured, or read in its source where that is said. An empty answer: not known.
 */
import type { FaultId } from "./faults.js";
import { INSTANT_IDS, type Instant } from "./instants.js";

const MEMORY: readonly Instant[] = ["met", "firstPage"];
const SWITCHOVER: readonly Instant[] = ["preSwitchover", "deviceState"];
const RELEASING: readonly Instant[] = ["completed", "releasedUnsynced", "releasedSynced"];

export function libvirtIn(fault: FaultId, instant: Instant): string {
  if (fault.startsWith("tunnel:")) return ""; // its tunnel is another one
  const landing = INSTANT_IDS.indexOf(instant) >= INSTANT_IDS.indexOf("afterCont");
  const releasing = RELEASING.includes(instant);
  const copying = MEMORY.includes(instant) || SWITCHOVER.includes(instant);
  if (fault === "killController") {
    if (releasing) return "stopped everywhere for good: 8 of 9 runs";
    if (landing) return "runs there; the old copy stays paused until a person ends it (read)";
    return "destination gone after 20 ms; five guests at once: up to 930 ms";
  }
  if (fault === "freezeController" && copying) return "noticed after 25.8 s";
  if (fault.endsWith(":controllerDestination") && copying) return "noticed after 29.6 s";
  if (fault === "killDestinationAgent") {
    if (landing) return "**two copies run**: 6 of 6";
    return "an orphan waits until the daemon is back (read)";
  }
  if (fault === "killSourceAgent" && (copying || releasing)) {
    return "guest stopped until the daemon is back";
  }
  if (/^(drop|mute|deaf|bytes):sourceDestination$/.test(fault) && SWITCHOVER.includes(instant)) {
    return "guest frozen for 926 s";
  }
  if (/(:controllerDestination|:sourceDestination)$/.test(fault) && landing) {
    return "**two copies run**: 2 of 2 managed, 4 of 6 peer-to-peer";
  }
  if ((fault === "killSourceQemu" || fault === "rebootSource") && releasing) {
    return "the only whole copy is killed (read)";
  }
  if (fault === "killDestinationQemu" && instant === "preSwitchover") {
    return "paused until somebody continues or cancels it";
  }
  return "";
}
