import { readFileSync } from "node:fs";

/** Ferry's version, e.g. "0.1.0". */
export const VERSION: string = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
).version;

/** Version of the protocol between agents: agents with the same number can meet. */
export const PROTOCOL_VERSION = 1;
