export type { Security } from "./security.js";
export type { AcceptSettings, DialSettings, Settings } from "./settings.js";
export { startTunnel, type Tunnel } from "./tunnel.js";
