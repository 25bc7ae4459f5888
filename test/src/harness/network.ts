/*
 * Where the tests' hosts live. As root each one is a network namespace on a bridge of its own, so that
 * a link can be cut between any two of them while the test itself still sees everybody. Without root
 * each one is an address of 127/8 on this machine: the same ports on every host, and no links to cut.
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";

export interface Place {
  readonly name: string;
  /** IPv4 address, or an IPv6 one in such a network; without brackets. */
  readonly address: string;
}

export interface Network {
  readonly kind: "namespaces" | "loopback";
  /** Why it is not namespaces; empty if it is. */
  readonly reason: string;
  /** The address the test itself has in it. */
  readonly ownAddress: string;
  /** Adds a host to the network. */
  add(name: string): Place;
  /** The command line that runs `argv` on that host. */
  inside(place: Place, argv: readonly string[]): string[];
  /** From now on nothing passes between two hosts, and neither is told: a pulled cable. */
  drop(place: Place, peerAddress: string): void;
  /** From now on every TCP connection between two hosts is answered with a reset. */
  reset(place: Place, peerAddress: string): void;
  /** From now on a firewall says this of what comes in to a host, e.g. "tcp dport 49152-49215 drop". */
  firewall(place: Place, rule: string): void;
  /** Everything passes again. */
  heal(place: Place): void;
  remove(): void;
}

/** Networks made by this process so far: each has a /28 of its own. */
let made = 0;
const PREFIX = "ferry-";
const TABLE = "inet ferry_test";

/** Namespaces where that is possible and nobody wants loopback, addresses of 127/8 otherwise. */
export function makeNetwork(
  family: "ipv4" | "ipv6" = "ipv4",
  { loopback = false }: { readonly loopback?: boolean } = {},
): Network {
  const number = made;
  made += 1;
  if (number >= 16) throw new Error("one process makes at most 16 networks");
  const reason = loopback ? "loopback is wanted" : whyNoNamespaces();
  if (reason === "") return new Namespaces(number, family);
  if (family === "ipv6")
    throw new Error(`there is but one IPv6 address on this machine: ${reason}`);
  return new Loopback(number, reason);
}

/** Why hosts cannot have networks of their own here; empty if they can. */
export function whyNoNamespaces(): string {
  if (process.getuid?.() !== 0) return "network namespaces need root";
  for (const program of ["ip", "nft", "nsenter"]) {
    if (spawnSync(program, ["--version"]).error !== undefined) return `${program} is not installed`;
  }
  const name = `${PREFIX}${process.pid}-try`;
  const tried = spawnSync("ip", ["netns", "add", name], { encoding: "utf8" });
  spawnSync("ip", ["netns", "delete", name]);
  return tried.status === 0 ? "" : `no namespace can be made: ${tried.stderr.trim()}`;
}

/** Two bytes of an address that no other process of this machine uses: a pid is below 2^22. */
function bytesOfPid(): [number, number] {
  return [(process.pid >> 8) & 0x7f, process.pid & 0xff];
}

class Namespaces implements Network {
  readonly kind = "namespaces";
  readonly reason = "";
  readonly #bridge: string;
  readonly #places: Place[] = [];
  readonly #number: number;

  constructor(
    number: number,
    readonly family: "ipv4" | "ipv6",
  ) {
    this.#number = number;
    this.#bridge = `fy${process.pid.toString(36)}x${number.toString(16)}`;
    sweep();
    run("ip", ["link", "add", this.#bridge, "type", "bridge"]);
    run("ip", ["address", "add", ...this.#withMask(this.ownAddress), "dev", this.#bridge]);
    run("ip", ["link", "set", this.#bridge, "up"]);
  }

  get ownAddress(): string {
    return this.#address(0);
  }

  add(name: string): Place {
    const index = this.#places.length + 1;
    if (index > 13) throw new Error("a network has room for 13 hosts");
    const place = { name, address: this.#address(index) };
    const namespace = this.#namespace(place);
    this.#places.push(place);
    const port = `${this.#bridge}p${index.toString(16)}`;
    run("ip", ["netns", "add", namespace]);
    run("ip", ["link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", namespace]);
    run("ip", ["link", "set", port, "master", this.#bridge, "up"]);
    run("ip", ["-n", namespace, "link", "set", "lo", "up"]);
    run("ip", ["-n", namespace, "address", "add", ...this.#withMask(place.address), "dev", "eth0"]);
    run("ip", ["-n", namespace, "link", "set", "eth0", "up"]);
    return place;
  }

  /** Not `ip netns exec`: that mounts a fresh /sys and hides the cgroups. */
  inside(place: Place, argv: readonly string[]): string[] {
    return ["nsenter", `--net=/run/netns/${this.#namespace(place)}`, ...argv];
  }

  drop(place: Place, peerAddress: string): void {
    this.#rule(place, peerAddress, "drop");
  }

  reset(place: Place, peerAddress: string): void {
    // Not the reset itself: it passes through the output chain as well.
    this.#rule(place, peerAddress, "tcp flags & rst == 0 reject with tcp reset");
  }

  firewall(place: Place, rule: string): void {
    this.#nft(
      place,
      `add table ${TABLE}
       add chain ${TABLE} input { type filter hook input priority 0; }
       add rule ${TABLE} input ${rule}`,
    );
  }

  heal(place: Place): void {
    this.#nft(place, `add table ${TABLE}; delete table ${TABLE}`);
  }

  remove(): void {
    for (const place of this.#places.splice(0)) {
      spawnSync("ip", ["netns", "delete", this.#namespace(place)]);
    }
    removeLinks(this.#bridge);
  }

  /** An IPv6 address is used at once: nobody else has it, so nobody is asked (nodad). */
  #withMask(address: string): string[] {
    return this.family === "ipv4" ? [`${address}/28`] : [`${address}/64`, "nodad"];
  }

  #address(index: number): string {
    const [high, low] = bytesOfPid();
    if (this.family === "ipv6") {
      return `fd00:${(((100 + high) << 8) + low).toString(16)}:${this.#number + 1}::${1 + index}`;
    }
    return `10.${100 + high}.${low}.${16 * this.#number + 1 + index}`;
  }

  #namespace(place: Place): string {
    return `${PREFIX}${process.pid}-${this.#number}-${place.name}`;
  }

  #rule(place: Place, peerAddress: string, verdict: string): void {
    const chain = (hook: string) => `${hook} { type filter hook ${hook} priority 0; }`;
    this.#nft(
      place,
      `add table ${TABLE}
       add chain ${TABLE} ${chain("input")}
       add chain ${TABLE} ${chain("output")}
       add rule ${TABLE} input ${this.#ip} saddr ${peerAddress} ${verdict}
       add rule ${TABLE} output ${this.#ip} daddr ${peerAddress} ${verdict}`,
    );
  }

  get #ip(): string {
    return this.family === "ipv4" ? "ip" : "ip6";
  }

  #nft(place: Place, script: string): void {
    const [program = "", ...args] = this.inside(place, ["nft", "-f", "-"]);
    run(program, args, `${script}\n`);
  }
}

class Loopback implements Network {
  readonly kind = "loopback";
  readonly ownAddress: string;
  #places = 0;

  constructor(
    readonly number: number,
    readonly reason: string,
  ) {
    this.ownAddress = this.#address(0);
  }

  add(name: string): Place {
    this.#places += 1;
    return { name, address: this.#address(this.#places) };
  }

  inside(_place: Place, argv: readonly string[]): string[] {
    return [...argv];
  }

  drop(): never {
    throw new Error(`no link can be cut here: ${this.reason}`);
  }

  reset(): never {
    throw new Error(`no link can be cut here: ${this.reason}`);
  }

  firewall(): never {
    throw new Error(`there are no firewalls here: ${this.reason}`);
  }

  heal(): void {}
  remove(): void {}

  #address(index: number): string {
    const [high, low] = bytesOfPid();
    return `127.${100 + high}.${low}.${16 * this.number + 1 + index}`;
  }
}

/** Removes what a test that was killed left behind: namespaces that carry a dead process's id. */
function sweep(): void {
  for (const name of namespaces()) {
    const pid = Number(/^ferry-(\d+)-/.exec(name)?.[1]);
    if (!Number.isInteger(pid) || alive(pid)) continue;
    spawnSync("ip", ["netns", "delete", name]);
    removeLinks(`fy${pid.toString(36)}x`);
  }
}

/** A namespace that a process is still in keeps its links, so they are removed by name. */
function removeLinks(prefix: string): void {
  for (const name of readdirSync("/sys/class/net")) {
    if (name.startsWith(prefix)) spawnSync("ip", ["link", "delete", name]);
  }
}

function namespaces(): string[] {
  try {
    return readdirSync("/run/netns");
  } catch {
    return []; // the first namespace makes the folder
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function run(program: string, args: readonly string[], input = ""): void {
  const done = spawnSync(program, args, { encoding: "utf8", input });
  if (done.status === 0) return;
  const why = done.error?.message ?? done.stderr.trim();
  throw new Error(`${program} ${args.join(" ")}: ${why}`);
}
