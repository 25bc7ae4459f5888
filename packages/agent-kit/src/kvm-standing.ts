/*
 * Whether KVM runs guests here, as it was tried last. A "no" is not for ever: a module is loaded, a device's
 * permissions are mended, and the agent that lives here must not be ended for it. So a "no" that is old is tried
 * again by whoever wants to know, once for all who ask meanwhile. A "yes" is kept: should it end, the guest
 * that does not start says so.
 */
import type { KvmProbe } from "@ferry/qemu";

/** A "no" is tried again after this time, in milliseconds: trying starts a QEMU. */
export const KVM_AGAIN_MS = 30_000;

export interface KvmSeen extends KvmProbe {
  /** When it was tried. */
  readonly at: Date;
}

export class KvmStanding {
  #seen: KvmSeen;
  #trying: Promise<KvmSeen> | undefined;

  /** `probe` undefined: it is not to be tried. */
  constructor(
    first: KvmProbe,
    readonly probe: (() => Promise<KvmProbe>) | undefined,
    readonly now: () => number = Date.now,
  ) {
    this.#seen = { ...first, at: new Date(now()) };
  }

  get seen(): KvmSeen {
    return this.#seen;
  }

  /** What is known, tried anew if that was long ago and a "no". Never rejects. */
  current(): Promise<KvmSeen> {
    const { works, at } = this.#seen;
    const age = Math.abs(this.now() - at.getTime()); // a clock may be set back
    if (works || this.probe === undefined || age < KVM_AGAIN_MS) return Promise.resolve(this.#seen);
    this.#trying ??= this.#try(this.probe).finally(() => {
      this.#trying = undefined;
    });
    return this.#trying;
  }

  async #try(probe: () => Promise<KvmProbe>): Promise<KvmSeen> {
    this.#seen = { ...(await probe()), at: new Date(this.now()) };
    return this.#seen;
  }
}
