/*
 * A keeper as its agent sees it: something that can be freed, told to kill, and that tells how QEMU
 * ended. The same object serves the agent that launched it and one that found it after a restart;
 * they differ only in whether they hold the line it is freed by.
 *
 * What happened is never taken from one signal alone: the child's exit, a file system event and a
 * slow clock all lead to the same look at /proc and at the keeper's last word.
 */
import { constants, type FSWatcher, watch } from "node:fs";
import { open } from "node:fs/promises";
import { basename } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { killByIdentity, type ProcessIdentity, stateOf } from "./identity.js";
import type { KeeperLine } from "./keeper-line.js";
import { type Death, deathOf, readLastWord, unseenDeath } from "./last-word.js";
import { fifoPath, freedPath, LAST_WORD_TIMEOUT_MS, lastWordPath } from "./run-directory.js";

export interface Keeper {
  readonly keeper: ProcessIdentity;
  readonly qemu: ProcessIdentity;
  /** QEMU is gone and waited for. Never settles after `letGo`. */
  readonly reaped: Promise<Death>;
  /** The keeper is gone and QEMU is not: nobody guards it but us. Never settles after `letGo`. */
  readonly keeperGone: Promise<void>;
  /**
   * When it returns, no agent's death kills this QEMU any more. Throws if the keeper is gone or cannot
   * be freed; then the guest must be killed.
   */
  free(): void;
  /** SIGKILL, again and again until QEMU is reaped. */
  kill(): Promise<void>;
  /** Something else tells that QEMU may have ended, such as its monitor: sees at once. */
  look(): void;
  /** Stops watching and closes what is open here. Kills a QEMU that was not freed, and no other. */
  letGo(): void;
}

/**
 * How often a QEMU is looked at that dies with us, in milliseconds: its monitor's end tells, and before
 * there is one nothing does.
 */
const LOOK_UNFREED_MS = 100;
/** How often one is looked at whose end is told by an event as well, in milliseconds. */
const LOOK_MS = 1_000;
/** How often one is looked at that is being killed, in milliseconds. */
const LOOK_KILLING_MS = 5;
/** After this time the keeper is taken for stuck, and QEMU is also killed from here. */
const KEEPER_PATIENCE_MS = 300;
const KILL_AGAIN_MS = 100;

export interface KeptOptions {
  readonly runDir: string;
  readonly keeper: ProcessIdentity;
  readonly qemu: ProcessIdentity;
  /** Held only by the agent that launched it. */
  readonly line?: KeeperLine;
}

export class Kept implements Keeper {
  readonly keeper: ProcessIdentity;
  readonly qemu: ProcessIdentity;
  readonly reaped: Promise<Death>;
  readonly keeperGone: Promise<void>;
  readonly #runDir: string;
  readonly #line: KeeperLine | undefined;
  #bury: (death: Death) => void = () => {};
  #missKeeper: () => void = () => {};
  #death: Death | undefined;
  #goneSince: number | undefined;
  #letGo = false;
  #killing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #watcher: FSWatcher | undefined;

  constructor({ runDir, keeper, qemu, line }: KeptOptions) {
    this.keeper = keeper;
    this.qemu = qemu;
    this.#runDir = runDir;
    this.#line = line;
    this.reaped = new Promise((resolve) => {
      this.#bury = resolve;
    });
    this.keeperGone = new Promise((resolve) => {
      this.#missKeeper = resolve;
    });
    line?.onEnd(() => this.look());
    this.#follow();
  }

  free(): void {
    if (this.#line === undefined) {
      throw new Error("a keeper can be freed only by the agent that launched it");
    }
    // Its end can be seen before it is told: whoever heard that it is gone must not be told it was freed.
    if (!this.#line.freed && stateOf(this.keeper) !== "lives") {
      throw new Error("the keeper was gone before it was freed");
    }
    this.#line.free(freedPath(this.#runDir));
    // Its guest stands still just now, and this can wait.
    setImmediate(() => {
      if (this.#death === undefined && !this.#letGo) this.#follow();
    });
  }

  kill(): Promise<void> {
    this.#killing ??= this.#killUntilReaped();
    return this.#killing;
  }

  letGo(): void {
    this.#letGo = true;
    this.#unfollow();
    this.#line?.close();
  }

  /** Sees what became of both, and tells. */
  look(): void {
    if (this.#death !== undefined) return;
    if (this.#letGo && this.#killing === undefined) return;
    // In this order: a keeper that is gone has left its word before.
    const keeperLives = stateOf(this.keeper) === "lives";
    const qemu = stateOf(this.qemu);
    if (qemu === "lives" && keeperLives) return;
    const word = readLastWord(this.#runDir);
    if (word !== undefined) {
      this.#end(deathOf(word, this.#runDir));
      return;
    }
    if (keeperLives) {
      this.#line?.reap(); // it waits for our word; one that was freed sees for itself
      this.#goneSince ??= performance.now();
      if (performance.now() - this.#goneSince < LAST_WORD_TIMEOUT_MS) return;
      this.#end(unseenDeath("QEMU is gone, and its keeper does not say how", this.#runDir));
      return;
    }
    if (qemu !== "lives") {
      this.#end(unseenDeath("QEMU is gone, and so is its keeper, who saw how", this.#runDir));
      return;
    }
    this.#missKeeper();
    this.#follow();
  }

  #end(death: Death): void {
    this.#death = death;
    this.#unfollow();
    this.#line?.close();
    this.#bury(death);
  }

  /** Looks now and then. Nothing here keeps the process alive. */
  #follow(): void {
    this.#unfollow();
    const unfreed = this.#line !== undefined && !this.#line.freed;
    this.#timer = setInterval(() => this.look(), unfreed ? LOOK_UNFREED_MS : LOOK_MS).unref();
    if (unfreed) return;
    try {
      // Its last word alone: whatever the guest writes on its console is in this directory, too.
      const word = basename(lastWordPath(this.#runDir));
      this.#watcher = watch(this.#runDir, { persistent: false }, (_kind, name) => {
        if (name === null || name === word) this.look();
      });
      this.#watcher.on("error", () => {}); // the clock looks, too
    } catch {
      // No directory, or no inotify watch left: the clock looks.
    }
  }

  #unfollow(): void {
    clearInterval(this.#timer);
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  async #killUntilReaped(): Promise<void> {
    const startedAt = performance.now();
    // Before anything is looked at: this line ends at our own keeper, and many may be to be killed.
    const told = this.#line?.kill() ?? false;
    // What ends on a line that is heard is told by its keeper's end: looking would only take its time.
    const lookMs = told ? LOOK_UNFREED_MS : LOOK_KILLING_MS;
    if (told) await Promise.race([this.reaped, wait(lookMs)]);
    for (let askAt = 0; ; ) {
      this.look();
      if (this.#death !== undefined) return;
      const elapsedMs = performance.now() - startedAt;
      if (elapsedMs >= askAt) {
        askAt = elapsedMs + KILL_AGAIN_MS;
        const asked = stateOf(this.keeper) === "lives" && (await this.#askToKill());
        if (!asked || elapsedMs >= KEEPER_PATIENCE_MS) this.#killFromHere();
      }
      await Promise.race([this.reaped, wait(lookMs)]);
    }
  }

  #killFromHere(): void {
    try {
      killByIdentity(this.qemu);
    } catch {
      // The kernel does not let us (EPERM): whoever was told that it is being killed waits for it to be reaped.
    }
  }

  /** Tells the keeper on both ways, since it listens on one of them. False if nobody can have heard. */
  async #askToKill(): Promise<boolean> {
    const heard = this.#line?.kill() ?? false;
    try {
      const flags = constants.O_WRONLY | constants.O_NONBLOCK; // ENXIO if nobody reads, never a wait
      const fifo = await open(fifoPath(this.#runDir), flags);
      try {
        await fifo.write("kill\n");
      } finally {
        await fifo.close();
      }
      return true;
    } catch {
      return heard;
    }
  }
}
