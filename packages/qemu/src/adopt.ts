/*
 * Finding a QEMU again that another process launched: an earlier agent, or the destination agent of
 * this host, whose guest landed. It is only looked at; nothing about it changes.
 */
import { setTimeout as wait } from "node:timers/promises";
import { currentBootId, type ProcessIdentity, stateOf } from "./identity.js";
import { type Keeper, Kept, LAST_WORD_TIMEOUT_MS } from "./keeper.js";
import { type Death, deathOf, readLastWord, unseenDeath } from "./last-word.js";

const LOOK_AGAIN_MS = 5;

export interface AdoptOptions {
  readonly runDir: string;
  readonly keeper: ProcessIdentity;
  readonly qemu: ProcessIdentity;
}

/** The guest's keeper if its QEMU lives, or how it ended. */
export async function adoptQemu(options: AdoptOptions): Promise<Keeper | Death> {
  const { runDir, keeper, qemu } = options;
  if (qemu.bootId !== currentBootId()) {
    return { summary: "QEMU ended with the host: it was started before the last boot" };
  }
  const deadline = performance.now() + LAST_WORD_TIMEOUT_MS;
  for (;;) {
    // In this order: a keeper that is gone has left its word before.
    const keeperLives = stateOf(keeper) === "lives";
    if (stateOf(qemu) === "lives") {
      const kept = new Kept(options);
      // Only then is there something to tell: an agent that starts has hundreds to look at.
      if (!keeperLives) setImmediate(() => kept.look());
      return kept;
    }
    const word = readLastWord(runDir);
    if (word !== undefined) return deathOf(word, runDir);
    if (!keeperLives) return unseenDeath("QEMU is gone, and its keeper left no word", runDir);
    if (performance.now() > deadline) {
      return unseenDeath("QEMU is gone, and its keeper does not say how", runDir);
    }
    await wait(LOOK_AGAIN_MS);
  }
}
