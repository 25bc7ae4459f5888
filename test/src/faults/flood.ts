/* Another controller, whose bad manners may cost it its own calls and nobody a guest. */
import type { Child } from "./child.js";
import { type Fault, hostOf } from "./fault.js";
import type { Role } from "./stage.js";
import { until } from "./until.js";

export type FloodKind = "calls" | "streams" | "pings";
export const FLOOD_KINDS: readonly FloodKind[] = ["calls", "streams", "pings"];
export type ToFlooder = "flood";
export interface FromFlooder {
  readonly kind: "ready" | "floods";
}

const WORDS: Record<FloodKind, string> = {
  calls: "questions",
  streams: "streams, each hung up again",
  pings: "HTTP/2 pings",
};

export function flood(kind: FloodKind, role: Role): Fault {
  let flooders: Child<ToFlooder, FromFlooder>[] = [];
  return {
    words: `another caller floods the ${role} agent with ${WORDS[kind]}`,
    lasts: true,
    cuts: false,
    ready: async (scene) => {
      const host = hostOf(role, scene);
      const flooder = scene.stage.stranger<ToFlooder, FromFlooder>("./flood-main.js", [
        kind,
        role,
        host.address[role],
        scene.migrationId,
      ]);
      flooders.push(flooder);
      await until("the flooder to be ready", () => flooder.said.length > 0);
    },
    inject: () => {
      for (const flooder of flooders) flooder.tell("flood");
    },
    mend: async () => {
      await until("the flood", () => flooders.every(({ said }) => said.some(isFlood)));
      await Promise.all(flooders.map((flooder) => flooder.end()));
      flooders = [];
    },
  };
}

const isFlood = ({ kind }: FromFlooder) => kind === "floods";
