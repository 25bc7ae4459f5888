import { join } from "node:path";

/** The file that collects what the guest writes to its first serial port. Every host has its own. */
export function consolePath(runDir: string): string {
  return join(runDir, "console.log");
}
