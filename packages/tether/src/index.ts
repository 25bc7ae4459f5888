export type { CutCause } from "./cause.js";
export { type Call, Connections } from "./connections.js";
export { checkDeadline, DEADLINE_MS_MAX } from "./deadline.js";
export { type Listener, type ListenOptions, listen, type Refusal } from "./listener.js";
export { Tethers, type TethersOptions, type Tie, type TieOptions } from "./tether.js";
