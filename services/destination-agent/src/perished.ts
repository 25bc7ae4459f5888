/*
 * What is left of a guest that perished here: perhaps a QEMU that stands still, and its run directory
 * with its last words. It is kept for the person who decides; the source acknowledges `perished` only
 * once that person has, and then nobody wants it any more.
 */
import { existsSync } from "node:fs";
import { adoptQemu, type Keeper, readProcesses, removeRunDirectory } from "@ferry/qemu";

/** Kills that QEMU, waits until it is reaped, and removes its run directory. May be repeated. */
export async function clearPerished(runDir: string, keeper: Keeper | undefined): Promise<void> {
  if (!existsSync(runDir)) return;
  const held = keeper ?? (await adopt(runDir));
  await held?.kill();
  await removeRunDirectory(runDir);
}

/** Undefined if its QEMU is gone. */
async function adopt(runDir: string): Promise<Keeper | undefined> {
  const processes = await readProcesses(runDir);
  if (processes === undefined) return undefined;
  const found = await adoptQemu({ runDir, ...processes });
  return "summary" in found ? undefined : found;
}
