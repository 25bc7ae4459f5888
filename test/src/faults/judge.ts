/*
 * The judge. It hears the guest's own consoles and both QEMUs' events, never an agent, and finds every
 * sentence of docs/safety.md that was broken: two ran at one instant, an old copy woke after the new
 * one ran, a tick came twice or never, memory is not what it was.
 */
import { BrokenGuest, type Reading, readTicker } from "../guests/reading.js";
import type { Running } from "./witness.js";

/** What is known of one QEMU. */
export interface Testimony {
  readonly hostName: string;
  readonly running: readonly Running[];
  /** All the guest said there. */
  readonly console: string;
  /** The judge came too late to see it wake. */
  readonly late: boolean;
}

export interface Judgement {
  readonly broken: readonly string[];
  /** Undefined where the consoles could not be read together. */
  readonly reading: Reading | undefined;
  /** Longest time for which the guest ran nowhere, between two times at which it ran, in milliseconds. */
  readonly stoodStillMs: number;
}

export function judge(seen: readonly Testimony[]): Judgement {
  const broken: string[] = [];
  for (const { hostName, late } of seen) {
    if (late) broken.push(`nobody saw when the guest began to run on ${hostName}`);
  }
  const spans = seen
    .flatMap(({ hostName, running }) => running.map((span) => ({ hostName, ...span })))
    .sort((a, b) => a.from - b.from);
  let stoodStillMs = 0;
  for (const [index, span] of spans.entries()) {
    const before = spans[index - 1];
    if (before === undefined) continue;
    const end = before.to ?? Number.POSITIVE_INFINITY;
    if (span.from < end) {
      const words = before.to === undefined ? "and never stopped" : `until ${before.to}`;
      broken.push(
        `two ran at once: ${before.hostName} from ${before.from} ${words}, ${span.hostName} from ${span.from}`,
      );
    } else stoodStillMs = Math.max(stoodStillMs, (span.from - end) / 1000);
  }
  const homes = spans.map(({ hostName }) => hostName).filter((name, i, all) => name !== all[i - 1]);
  if (new Set(homes).size !== homes.length) {
    broken.push(`an old copy woke again: the guest ran on ${homes.join(", then on ")}`);
  }
  const inOrder = [...new Set(homes)];
  const spokeUnseen = seen.filter(
    (each) => each.console !== "" && !inOrder.includes(each.hostName),
  );
  for (const { hostName } of spokeUnseen) {
    broken.push(`the guest spoke on ${hostName}, where nobody saw it run`);
  }
  return { broken, reading: read(), stoodStillMs };

  function read(): Reading | undefined {
    const text = inOrder.map((name) => consoleOn(name)).join("");
    try {
      return readTicker(text);
    } catch (error) {
      if (!(error instanceof BrokenGuest)) throw error;
      broken.push(`the consoles: ${error.message}`);
      return undefined;
    }
  }

  function consoleOn(name: string): string {
    return seen
      .filter(({ hostName }) => hostName === name)
      .map((each) => each.console)
      .join("");
  }
}
