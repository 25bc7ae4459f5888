/*
 * Lines to other agents. Whoever calls a peer has a connection to itself for as long as it calls; one
 * that was given back in order waits a while for the next caller, since a guest seldom moves alone and
 * a TLS handshake costs both hosts more than all that is said over it.
 */
import type { PeerServiceClient } from "@ferry/contract";

/** How long a line waits for its next caller, in milliseconds: the other end may die unnoticed meanwhile. */
const IDLE_MS = 10_000;

/** A connection to one agent, and nobody else's. */
export interface PeerLine {
  readonly client: PeerServiceClient;
  /** The last call on it ended well: somebody else may have it. */
  giveBack(): void;
  /** It is not to be used again. */
  hangUp(): void;
}

interface Idle {
  readonly client: PeerServiceClient;
  readonly timer: NodeJS.Timeout;
}

export class PeerLines {
  readonly #idle = new Map<string, Idle>();
  #closed = false;

  constructor(readonly dial: (address: string, agentId: string) => PeerServiceClient) {}

  /** A line to `agentId` at "host:port". */
  open(address: string, agentId: string): PeerLine {
    const key = `${agentId} at ${address}`;
    const client = this.#take(key) ?? this.dial(address, agentId);
    return {
      client,
      giveBack: () => this.#keep(key, client),
      hangUp: () => client.close(),
    };
  }

  /** Hangs up the idle ones, and from now on whatever is given back. */
  close(): void {
    this.#closed = true;
    for (const key of [...this.#idle.keys()]) this.#take(key)?.close();
  }

  #take(key: string): PeerServiceClient | undefined {
    const idle = this.#idle.get(key);
    clearTimeout(idle?.timer);
    this.#idle.delete(key);
    return idle?.client;
  }

  #keep(key: string, client: PeerServiceClient): void {
    if (this.#closed || this.#idle.has(key)) {
      client.close();
      return;
    }
    const timer = setTimeout(() => this.#take(key)?.close(), IDLE_MS).unref();
    this.#idle.set(key, { client, timer });
  }
}
