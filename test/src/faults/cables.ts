/* Links between two of the three places of a migration. */
import type { Place } from "../harness/network.js";
import type { Fault } from "./fault.js";
import { breakLink, type LinkBreak } from "./links.js";

/** Between the controller and the source, the controller and the destination, the two hosts. */
export type Link = "controllerSource" | "controllerDestination" | "sourceDestination";
export const LINKS: readonly Link[] = [
  "controllerSource",
  "controllerDestination",
  "sourceDestination",
];

const LINK_WORDS: Record<Link, string> = {
  controllerSource: "controller and source",
  controllerDestination: "controller and destination",
  sourceDestination: "source and destination",
};

const BREAKS: Record<LinkBreak, string> = {
  drop: "nothing passes between",
  reset: "every connection is reset between",
  mute: "only the second is heard between",
  deaf: "only the first is heard between",
  bytes: "after 1,000 more bytes nothing passes between",
};

export function link(how: LinkBreak, which: Link): Fault {
  return {
    words: `${BREAKS[how]} ${LINK_WORDS[which]}`,
    lasts: true,
    cuts: which === "controllerDestination",
    inject: ({ stage, from, to }) => {
      const ends: Record<Link, [Place, Place]> = {
        controllerSource: [stage.controllerPlace, from.place],
        controllerDestination: [stage.controllerPlace, to.place],
        sourceDestination: [from.place, to.place],
      };
      breakLink(stage.network, ...ends[which], how);
    },
    mend: ({ stage }) => stage.healLinks(),
  };
}
