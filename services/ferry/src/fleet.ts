/* The hosts of the hosts file, connected when they are needed, and guests found among them. */
import { connectHost, type Host } from "@ferry/client";
import type { Guest } from "@ferry/contract";
import { Failure, silenceOf } from "./failure.js";
import type { HostsFile } from "./hosts-file.js";

/** How long a host may take to say which guests it has, in milliseconds. */
const LOOK_MS = 10_000;

/** A host that could not be asked. */
export interface Unheard {
  readonly host: string;
  /** "did not answer: …" or "refused: …" */
  readonly why: string;
}

export interface Residence {
  readonly host: string;
  readonly guest: Guest;
}

export class Fleet {
  readonly #connected = new Map<string, Host>();

  constructor(
    readonly file: HostsFile,
    /** Sent with every call. */
    readonly traceparent: string | undefined,
  ) {}

  get names(): string[] {
    return [...this.file.hosts.keys()];
  }

  host(name: string): Host {
    const known = this.#connected.get(name);
    if (known !== undefined) return known;
    const address = this.file.hosts.get(name);
    if (address === undefined) {
      throw new Failure(
        `${this.file.path} knows no host ${name}`,
        `Its hosts are ${this.names.join(", ")}; add the other, or name one of these.`,
      );
    }
    const host = connectHost({ ...address, traceparent: this.traceparent });
    this.#connected.set(name, host);
    return host;
  }

  /** Every guest of every host that answers. */
  async guests(): Promise<{ residences: Residence[]; unheard: Unheard[] }> {
    const residences: Residence[] = [];
    const unheard: Unheard[] = [];
    await Promise.all(
      this.names.map(async (host) => {
        try {
          const guests = await this.host(host).guests.list({ timeoutMs: LOOK_MS });
          residences.push(...guests.map((guest) => ({ host, guest })));
        } catch (error) {
          unheard.push({ host, why: silenceOf(error) });
        }
      }),
    );
    residences.sort((a, b) => order(a).localeCompare(order(b)));
    return { residences, unheard };
  }

  /** The one host a guest lives on. */
  async find(guestId: string): Promise<string> {
    const { residences, unheard } = await this.guests();
    const homes = residences.filter(({ guest }) => guest.guestId === guestId);
    const [home, ...others] = homes;
    if (home !== undefined && others.length === 0) return home.host;
    if (home !== undefined) {
      throw new Failure(
        `guest ${guestId} is known on ${homes.map(({ host }) => host).join(" and ")}`,
        "One of them is likely an old copy of a migration that is not settled: see `ferry watch`. Name the host you mean.",
      );
    }
    const deaf = unheard.map(({ host, why }) => `\n  ${host} ${why}`).join("");
    throw new Failure(
      `no guest ${guestId} on any host${deaf === "" ? "" : " that answered"}${deaf}`,
      deaf === ""
        ? "See `ferry guests`."
        : "It may live on a host that did not answer: try again, or name it.",
    );
  }

  close(): void {
    for (const host of this.#connected.values()) host.close();
  }
}

function order({ host, guest }: Residence): string {
  return `${guest.guestId} ${host}`;
}
