/*
 * The pump's process. It reads its settings from its standard input, carries one migration's bytes, says
 * how that ended and exits. The end of its standard input is its agent's death (or the agent's wish): it
 * exits at once, and the kernel closes its sockets, which is how both QEMUs learn of it.
 */
import { createInterface } from "node:readline";
import { logVerbosity, setLogVerbosity } from "@grpc/grpc-js";
import { accept } from "./accept.js";
import { dial } from "./dial.js";
import type { Settings, Word } from "./settings.js";

/** How long the last frames (a refusal, a status) may take to leave before the process goes anyway. */
const LINGER_MS = 500;

setLogVerbosity(logVerbosity.NONE);
// The agent decides when a pump ends. A ^C or a service manager's signal to everybody is for the agent.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
process.stdout.on("error", () => {}); // the agent is gone; standard input says so too

createInterface({ input: process.stdin })
  .once("line", (line) => void pump(parse(line)))
  .once("error", () => process.exit())
  .once("close", () => process.exit());

async function pump(settings: Settings): Promise<void> {
  const ready = (port: number) => say({ word: "ready", port });
  const reason = await (settings.role === "accept"
    ? accept(settings, ready)
    : dial(settings, ready));
  say({ word: "ended", reason });
  process.stdin.destroy();
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

function say(word: Word): void {
  process.stdout.write(`${JSON.stringify(word)}\n`);
}

/** JSON.parse quotes what it could not read, and that may be the key: its message must not get out. */
function parse(line: string): Settings {
  try {
    return JSON.parse(line) as Settings; // written by this package's tunnel.ts
  } catch {
    say({ word: "ended", reason: "the pump's settings are not JSON" });
    process.exit(1);
  }
}
