/* One destination in one world: what most happenings there need to know. */
import type { Say } from "./happening.js";
import type { Protocol, Setting } from "./setting.js";
import type { DestinationHost, World } from "./world.js";

export interface Here {
  readonly world: World;
  /** Which destination. */
  readonly at: number;
  readonly host: DestinationHost;
  readonly protocol: Protocol;
  readonly setting: Setting;
  readonly say: Say;
}
