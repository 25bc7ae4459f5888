/*
 * What becomes of a guest whose move has ended: it has landed, it is left, or it has another turn, as
 * advice.ts and tries.ts say.
 */
import { troubleOf } from "../hear.js";
import { guestStateName } from "../look.js";
import { ADVICE_WORDS, type Advice, adviceOn } from "./advice.js";
import { stateIsPassing } from "./blockers.js";
import type { Ledger, WhyLeft } from "./ledger.js";
import type { RunOptions } from "./options.js";
import type { Places } from "./places.js";
import { ENDED, obstaclesOf, wordsOf } from "./texts.js";
import { nextTry, shun } from "./tries.js";
import type { Active, Waiting } from "./waiting.js";
import type { DrainState, Ending, LeftReason } from "./words.js";

/** How long the host may take to say how a guest stands, in milliseconds. */
const LOOK_MS = 1_000;

export interface AftermathOptions {
  readonly options: RunOptions;
  readonly ledger: Ledger;
  readonly places: Places;
  /** Of the drain, now. */
  state(): DrainState;
}

export class Aftermath {
  constructor(readonly scene: AftermathOptions) {}

  /** Judges it; true: the guest is to have another turn. */
  async of(active: Active, ending: Ending): Promise<boolean> {
    const { options, ledger, places } = this.scene;
    const { waiting, to, migrationId } = active;
    const advice = await this.#reconsider(adviceOn(ending), waiting);
    if ("outcome" in ending && advice === "moved") {
      places.well(to);
      ledger.landed(active, ending.outcome);
      return false;
    }
    const { reason, description } = wordsOf(ending);
    const obstacles = obstaclesOf(ending, options.from.name, to);
    const left = (why: LeftReason, words = description) => {
      this.leave(waiting, { reason: why, description: words, migrationId, obstacles });
      return false;
    };
    if (advice === "person") {
      const { verdict } = "outcome" in ending ? ending.outcome : { verdict: "pending" as const };
      return left(verdict === "perished" ? "perished" : "pending");
    }
    if (advice === "gone") {
      places.giveUp(waiting);
      ledger.lost(waiting);
      return false;
    }
    if (isOver(this.scene.state())) return left("ended", ENDED);
    if (advice === "leave") return left("blocked");
    waiting.obstacles.push(...obstacles);
    if (!this.#again(active, ending, advice)) return left("failed");
    const { guestId } = waiting;
    const about = { guestId, to, migrationId, reason, description, obstacles };
    ledger.feed.push({ kind: "retry", ...about, next: ADVICE_WORDS[advice] });
    return true;
  }

  /** A guest that is just starting, stopping or coming back is none that cannot be moved. */
  async #reconsider(advice: Advice, { guestId }: Waiting): Promise<Advice> {
    if (advice !== "leave") return advice;
    const { guests } = this.scene.options.from.host;
    try {
      const { state } = await guests.get(guestId, { timeoutMs: LOOK_MS });
      return stateIsPassing(guestStateName(state)) ? "wait" : advice;
    } catch (error) {
      return troubleOf(error).fault?.reason === "GUEST_UNKNOWN" ? "gone" : advice;
    }
  }

  /** Readies a guest for its next try; false: it has had enough of them. */
  #again({ waiting, to }: Active, ending: Ending, advice: Advice): boolean {
    const { options, places } = this.scene;
    const { patienceMs } = options;
    const now = performance.now();
    const { next, ...account } = nextTry({ waiting, to, ending, advice, patienceMs, now });
    Object.assign(waiting, account);
    switch (next.what) {
      case "enough":
        return false;
      case "full":
        places.full(to, next.untilMs);
        return true;
      case "wait":
        waiting.notBefore = next.untilMs;
        return true;
      case "trouble": {
        const coolMs = places.trouble(to, now);
        if (places.choose(waiting, now) === undefined) waiting.notBefore = now + coolMs;
        return true;
      }
      case "elsewhere":
        waiting.avoid.add(to);
        shun(waiting, to);
        return true;
      case "again":
        shun(waiting, to);
        waiting.notBefore = next.untilMs;
        return true;
    }
  }

  /** It stays where it is, or where nobody knows. */
  leave(waiting: Waiting, why: WhyLeft): void {
    const { ledger, places } = this.scene;
    ledger.leave(waiting, why);
    const { reason } = why;
    // Where it is, or may be, its memory is taken.
    if (reason !== "pending" && reason !== "perished") places.giveUp(waiting);
  }
}

/** No more moves begin, for good. */
export function isOver(state: DrainState): boolean {
  return state === "ending" || state === "aborting";
}
