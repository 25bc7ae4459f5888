/*
 * Whether this agent is alive, for whoever kills agents that are not (kubelet, a watchdog): its event
 * loop turns, or nobody would answer, and its state directory answers. A directory that says no
 * answers, too: a full disk is not mended by a restart. One that says nothing at all, as storage does
 * that has gone away, leaves an agent that can promise nothing; it and the guests tied to it are
 * better ended.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "./logs.js";

/** The health service's name. Readiness goes by "" and the services' names. */
export const LIVENESS = "ferry.liveness";

/** Looks this often within the time that the directory has. */
const LOOKS = 4;

export interface LivenessOptions {
  /** One bounded piece of work in the state directory. Whether it succeeds does not matter. */
  probe(): Promise<void>;
  /** The directory has this long to answer, in milliseconds. */
  readonly withinMs: number;
  /** Told at every change; it begins alive. */
  say(isAlive: boolean): void;
  readonly log: Logger;
}

export class Liveness {
  readonly #options: LivenessOptions;
  readonly #timer: NodeJS.Timeout;
  #askedAt: number | undefined;
  #isAlive = true;

  constructor(options: LivenessOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), Math.ceil(options.withinMs / LOOKS)).unref();
    this.#look();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const askedAt = this.#askedAt;
    if (askedAt === undefined) {
      this.#askedAt = performance.now();
      const answered = () => {
        this.#askedAt = undefined;
        this.#say(true);
      };
      this.#options.probe().then(answered, answered);
      return;
    }
    if (performance.now() - askedAt < this.#options.withinMs) return;
    // After a stall of our own the answer may be here already, unread.
    setImmediate(() => {
      if (this.#askedAt === askedAt) this.#say(false);
    });
  }

  #say(isAlive: boolean): void {
    if (isAlive === this.#isAlive) return;
    this.#isAlive = isAlive;
    const { log, say, withinMs } = this.#options;
    if (isAlive) log.warn("the state directory answers again");
    else log.error({ within_ms: withinMs }, "the state directory does not answer");
    say(isAlive);
  }
}

/** Writes a few bytes and waits for the disk: what a record needs, but for the rename. */
export function stateProbe(stateDir: string, role: string): () => Promise<void> {
  const path = join(stateDir, `.alive.${role}`);
  return async () => {
    const file = await open(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
    try {
      await file.write("alive\n", 0);
      await file.datasync();
    } finally {
      await file.close();
    }
  };
}
