/* Another controller, whose bad manners may cost it its own calls and nobody a guest. */
import type { Child } from "./child.js";
import { type Fault, hostOf } from "./fault.js";
import type { Role } from "./stage.js";
import { until } from "./until.js";

export type FloodKind = "calls" | "streams" | "pings";
export const FLOOD_KINDS: readonly FloodKind[] = ["calls", "streams", "pings"];
export interface FromFlooder {
  readonly kind: "floods";
}

const WORDS: Record<FloodKind, string> = {
  calls: "questions",
  streams: "streams, each hung up again",
  pings: "HTTP/2 pings",
};

export function flood(kind: FloodKind, role: Role): Fault {
  let flooders: Child<never, FromFlooder>[] = [];
  return {
    words: `another caller floods the ${role} agent with ${WORDS[kind]}`,
    lasts: true,
    cuts: false,
    inject: async (scene) => {
      const host = hostOf(role, scene);
      const flooder = scene.stage.stranger<FromFlooder>("./flood-main.js", [
        kind,
        role,
        host.address[role],
        scene.migrationId,
      ]);
      flooders.push(flooder);
      await until("the flood", () => flooder.said.length > 0);
    },
    mend: async () => {
      await Promise.all(flooders.map((flooder) => flooder.end()));
      flooders = [];
    },
  };
}
