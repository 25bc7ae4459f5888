/*
 * Finding a QEMU again that another process launched: an earlier agent, or the destination agent of
 * this host, whose guest landed. It is only looked at; nothing about it changes.
 */
import { setTimeout as wait } from "node:timers/promises";
import { isHeld } from "./held.js";
import { currentBootId, type ProcessIdentity, stateOf } from "./identity.js";
import { type Keeper, Kept } from "./keeper.js";
import { type Death, deathOf, readLastWord, unseenDeath } from "./last-word.js";
import { fifoPath, LAST_WORD_TIMEOUT_MS } from "./run-directory.js";

const LOOK_AGAIN_MS = 5;

export interface AdoptOptions {
  readonly runDir: string;
  readonly keeper: ProcessIdentity;
  readonly qemu: ProcessIdentity;
}

/**
 * The guest's keeper if its QEMU lives, or how it ended. Throws if this agent does not see it and somebody
 * holds its FIFO all the same: then nothing that this agent sees of any process may be believed.
 */
export async function adoptQemu(options: AdoptOptions): Promise<Keeper | Death> {
  const { runDir, keeper, qemu } = options;
  if (qemu.bootId !== currentBootId()) {
    if (isHeld(fifoPath(runDir))) throw unseen(options);
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
    const held = !keeperLives && isHeld(fifoPath(runDir));
    if (!keeperLives && !held) {
      return unseenDeath("QEMU is gone, and its keeper left no word", runDir);
    }
    if (performance.now() > deadline) {
      if (held) throw unseen(options);
      return unseenDeath("QEMU is gone, and its keeper does not say how", runDir);
    }
    await wait(LOOK_AGAIN_MS);
  }
}

function unseen({ runDir, qemu }: AdoptOptions): Error {
  return new Error(
    `the QEMU of ${runDir} lives, and this agent does not see it as pid ${qemu.pid}: the agents of a host must run in the PID namespace that its guests were started in (the host's, hostPID), with a /proc that hides none of them (hidepid=0) and the host's boot id`,
  );
}
