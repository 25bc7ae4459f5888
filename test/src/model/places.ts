/*
 * Gives every host that turns up a small number, so that a world is one number and a million of
 * them fit into a map. Hosts that are equal become the same object.
 */
import type { DestinationHost, SourceHost, World } from "./world.js";

/** Distinct hosts of one kind that can be told apart; three of them make one exact number. */
const HOSTS_MAX = 2 ** 17;

class Registry<Host> {
  readonly #numbers = new Map<string, number>();
  readonly #seen = new WeakMap<object, number>();
  readonly hosts: Host[] = [];

  constructor(readonly spell: (host: Host) => string) {}

  number(host: Host & object): number {
    const seen = this.#seen.get(host);
    if (seen !== undefined) return seen;
    const name = this.spell(host);
    let number = this.#numbers.get(name);
    if (number === undefined) {
      number = this.hosts.length;
      if (number >= HOSTS_MAX) throw new Error("more hosts than a world's number can name");
      this.#numbers.set(name, number);
      this.hosts.push(host);
      this.#seen.set(host, number);
    }
    return number;
  }

  at(number: number): Host {
    const host = this.hosts[number];
    if (host === undefined) throw new Error(`no host has the number ${number}`);
    return host;
  }
}

export class Places {
  readonly #sources = new Registry<SourceHost>(
    (host) =>
      short(host.agent ? host.phase : "down") +
      short(host.queue.join()) +
      short(host.disk?.phase) +
      short(host.synced?.phase) +
      short(host.qemu) +
      String.fromCharCode(
        (host.disk?.arrival ?? 0) * 8 + (host.synced?.arrival ?? 0),
        host.target * 64 + host.arrival * 8 + host.peer,
        bit(host.wentOn, 1) +
          bit(host.perished, 2) +
          bit(host.gaveAway, 4) +
          bit(host.old, 8) +
          bit(host.overridden, 16),
      ),
  );
  readonly #destinations = new Registry<DestinationHost>(
    (host) =>
      short(host.agent ? host.phase : "down") +
      short(host.queue.join()) +
      short(host.disk) +
      short(host.synced) +
      short(host.qemu) +
      short(host.keeper) +
      short(host.tether) +
      short(host.answer) +
      short(host.told[0]) +
      short(host.told[1]) +
      String.fromCharCode(
        host.arrivals,
        bit(host.dialled, 1) +
          bit(host.endpointTold, 2) +
          bit(host.saidReleased, 4) +
          bit(host.saidBereft, 8) +
          bit(host.saidRecalled, 16) +
          bit(host.ordered, 32) +
          bit(host.ran, 64) +
          bit(host.old, 128) +
          bit(host.overridden, 256),
      ),
  );

  /** Two worlds have the same number exactly if nothing can ever tell them apart. */
  number({ source, destinations }: World): number {
    let number = 0;
    for (const host of destinations) number = number * HOSTS_MAX + this.#destinations.number(host);
    return number * HOSTS_MAX + this.#sources.number(source);
  }

  world(number: number, destinations: number): World {
    const source = this.#sources.at(number % HOSTS_MAX);
    const hosts: DestinationHost[] = [];
    let rest = Math.floor(number / HOSTS_MAX);
    for (let left = destinations; left > 0; left -= 1) {
      hosts.unshift(this.#destinations.at(rest % HOSTS_MAX));
      rest = Math.floor(rest / HOSTS_MAX);
    }
    return { source, destinations: hosts };
  }
}

function bit(set: boolean, value: number): number {
  return set ? value : 0;
}

const SHORT = new Map<string | undefined, string>();

/** One character for each word there is. */
function short(word: string | undefined): string {
  let character = SHORT.get(word);
  if (character === undefined) {
    character = String.fromCharCode(SHORT.size);
    SHORT.set(word, character);
  }
  return character;
}
