/*
 * Gives every host that turns up a small number, so that a world is one number and a million of
 * them fit into a map. Hosts that are equal become the same object.
 */
import type { DestinationHost, SourceHost, World } from "./world.js";

/** Bits of the largest whole number that is exact. */
const EXACT_BITS = 53;

class Registry<Host> {
  readonly #numbers = new Map<number, number>();
  readonly #seen = new WeakMap<object, number>();
  readonly hosts: Host[] = [];

  constructor(
    readonly hostsMax: number,
    readonly spell: (host: Host) => number,
  ) {}

  number(host: Host & object): number {
    const seen = this.#seen.get(host);
    if (seen !== undefined) return seen;
    const name = this.spell(host);
    let number = this.#numbers.get(name);
    if (number === undefined) {
      number = this.hosts.length;
      if (number >= this.hostsMax) throw new Error("more hosts than a world's number can name");
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
  /** Distinct hosts of one kind that can be told apart. */
  readonly #hostsMax: number;
  readonly #sources: Registry<SourceHost>;
  readonly #destinations: Registry<DestinationHost>;

  constructor(readonly destinations: number) {
    this.#hostsMax = 2 ** Math.floor(EXACT_BITS / (destinations + 1));
    this.#sources = new Registry(this.#hostsMax, spellSource);
    this.#destinations = new Registry(this.#hostsMax, spellDestination);
  }

  /** One number for all of a world. */
  key({ source, destinations }: World): number {
    let key = 0;
    for (const host of destinations) key = key * this.#hostsMax + this.#destinations.number(host);
    return key * this.#hostsMax + this.#sources.number(source);
  }

  world(key: number): World {
    const source = this.#sources.at(key % this.#hostsMax);
    const hosts: DestinationHost[] = [];
    let rest = Math.floor(key / this.#hostsMax);
    for (let left = this.destinations; left > 0; left -= 1) {
      hosts.unshift(this.#destinations.at(rest % this.#hostsMax));
      rest = Math.floor(rest / this.#hostsMax);
    }
    return { source, destinations: hosts };
  }
}

/** Gives each of a few words a small number, from 0. */
class Vocabulary {
  readonly #codes = new Map<string | undefined, number>();

  constructor(readonly size: number) {}

  code(word: string | undefined): number {
    const known = this.#codes.get(word);
    if (known !== undefined) return known;
    const code = this.#codes.size;
    if (code >= this.size) throw new Error(`more than ${this.size} words: ${word}`);
    this.#codes.set(word, code);
    return code;
  }
}

const SOURCE_PHASES = new Vocabulary(32);
const DESTINATION_PHASES = new Vocabulary(32);
const QUEUES = new Vocabulary(64);
/** No arrival, and two at each of two destinations. */
const ARRIVALS = 5;
const OWED = new Vocabulary(32);
const OWED_THERE = new Vocabulary(8);
const SOURCE_QEMUS = new Vocabulary(16);
const DESTINATION_QEMUS = new Vocabulary(16);
const KEEPERS = new Vocabulary(8);

const queueCode = (queue: readonly string[]) =>
  queue.length === 0 ? 0 : 1 + QUEUES.code(queue.join());

/** Every field in its own digits: an exact whole number, below 2^53. */
function spellSource(host: SourceHost): number {
  let number = SOURCE_PHASES.code(host.agent ? host.phase : "down");
  number = number * 32 + SOURCE_PHASES.code(host.disk?.phase);
  number = number * 32 + SOURCE_PHASES.code(host.synced?.phase);
  number = number * 65 + queueCode(host.queue);
  number = number * 16 + SOURCE_QEMUS.code(host.qemu);
  number = number * ARRIVALS + (host.disk?.arrival ?? 0);
  number = number * ARRIVALS + (host.synced?.arrival ?? 0);
  number = number * ARRIVALS + host.arrival;
  number = number * ARRIVALS + host.peer;
  number = number * 2 + host.target;
  number = number * 3 + WORDS[host.disk?.word ?? "none"];
  number = number * 3 + WORDS[host.synced?.word ?? "none"];
  const flags =
    bit(host.wentOn, 1) +
    bit(host.perished, 2) +
    bit(host.gaveAway, 4) +
    bit(host.old, 8) +
    bit(host.overridden, 16) +
    bit(host.lied, 32) +
    bit(host.givenUp, 64);
  return (number * 128 + flags) * 32 + OWED.code(host.owed);
}

/** As `spellSource`. */
function spellDestination(host: DestinationHost): number {
  let number = DESTINATION_PHASES.code(host.agent ? host.phase : "down");
  number = number * 32 + DESTINATION_PHASES.code(host.disk);
  number = number * 32 + DESTINATION_PHASES.code(host.synced);
  number = number * 65 + queueCode(host.queue);
  number = number * 16 + DESTINATION_QEMUS.code(host.qemu);
  number = number * 8 + KEEPERS.code(host.keeper);
  number = number * 4 + TETHERS[host.tether];
  number = number * 4 + ANSWERS[host.answer];
  number = number * 4 + VERDICTS[host.told[0]];
  number = number * 4 + VERDICTS[host.told[1]];
  number = number * 4 + host.arrivals;
  const flags =
    bit(host.dialled, 1) +
    bit(host.endpointTold, 2) +
    bit(host.saidReleased, 4) +
    bit(host.saidBereft, 8) +
    bit(host.saidRecalled, 16) +
    bit(host.ordered, 32) +
    bit(host.ran, 64) +
    bit(host.old, 128) +
    bit(host.overridden, 256) +
    bit(host.lied, 512);
  return (number * 1024 + flags) * 8 + OWED_THERE.code(host.owed);
}

const WORDS = { none: 0, override: 1, giveUp: 2 } as const;
const TETHERS = { none: 0, held: 1, cut: 2 } as const;
const ANSWERS = { none: 0, ran: 1, refused: 2 } as const;
const VERDICTS = { pending: 0, landed: 1, returned: 2, perished: 3 } as const;

function bit(set: boolean, value: number): number {
  return set ? value : 0;
}
