export { type ConnectOptions, connect, connectOn } from "./connection.js";
export { QmpError, QmpLost, QmpSilence, QmpTimeout } from "./errors.js";
export { LINE_BYTES_MAX } from "./framing.js";
export { COMMAND_TIMEOUT_MS, type ExecuteOptions, Qmp } from "./qmp.js";
export type { Arguments, QmpEvent } from "./session.js";
export { isShort } from "./short.js";
