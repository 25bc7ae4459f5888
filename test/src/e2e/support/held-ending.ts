/*
 * An ending that cannot be written: something else has its name. The agent goes on trying, so the
 * migration stays in the phase before its end for as long as a test likes.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { TestHost } from "../../harness/hosts.js";

/** From now on that migration cannot end at that agent. Gives the way to let it. */
export function holdEnding(
  host: TestHost,
  role: "source" | "destination",
  migrationId: string,
): () => void {
  const path = join(host.stateDir, "endings", `${migrationId}.${role}.json`);
  mkdirSync(path); // what is written beforehand cannot be renamed to a folder's name
  return () => rmSync(path, { recursive: true });
}
