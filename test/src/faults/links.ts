/* Links between two places of a test's network, broken in every way a cable, a switch or a firewall can. */
import { spawnSync } from "node:child_process";
import type { Network, Place } from "../harness/network.js";

export type LinkBreak =
  /** Nothing passes, and neither end is told. */
  | "drop"
  /** Every TCP packet is answered with a reset. */
  | "reset"
  /** What `place` sends is lost; it still hears the other. */
  | "mute"
  /** What `place` should hear is lost; it is still heard. */
  | "deaf"
  /** A few more bytes pass each way, and then nothing. */
  | "bytes";

const TABLE = "inet ferry_faults";
/** In the middle of a message, whatever the message is. */
const BYTES = 1_000;

/** Breaks the link between `place` and `peer`, seen from `place`. */
export function breakLink(network: Network, place: Place, peer: Place, how: LinkBreak): void {
  const out = `output ip daddr ${peer.address}`;
  const into = `input ip saddr ${peer.address}`;
  const rules: Record<LinkBreak, string[]> = {
    drop: [`${out} drop`, `${into} drop`],
    reset: [
      `${out} tcp flags & rst == 0 reject with tcp reset`,
      `${into} tcp flags & rst == 0 reject with tcp reset`,
    ],
    mute: [`${out} drop`],
    deaf: [`${into} drop`],
    bytes: [`${out} quota over ${BYTES} bytes drop`, `${into} quota over ${BYTES} bytes drop`],
  };
  const chain = (hook: string) =>
    `add chain ${TABLE} ${hook} { type filter hook ${hook} priority 0; }`;
  const lines = rules[how].map((rule) => `add rule ${TABLE} ${rule}`);
  nft(network, place, [`add table ${TABLE}`, chain("input"), chain("output"), ...lines]);
}

/** Everything passes again at that place. */
export function healLinks(network: Network, place: Place): void {
  nft(network, place, [`add table ${TABLE}`, `delete table ${TABLE}`]);
}

function nft(network: Network, place: Place, lines: readonly string[]): void {
  const [program = "", ...args] = network.inside(place, ["nft", "-f", "-"]);
  const done = spawnSync(program, args, { encoding: "utf8", input: `${lines.join("\n")}\n` });
  if (done.status !== 0) throw new Error(`nft: ${done.error?.message ?? done.stderr}`);
}
