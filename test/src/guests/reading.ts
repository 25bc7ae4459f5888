/*
 * What the ticker's consoles prove. A guest that moves writes one console on each host; joined in the
 * order of its homes they must read like the console of a guest that never moved: every tick once, in
 * order, one boot, memory whole. A line may begin on one host and end on the next.
 */

/** What was read of one guest's life. */
export interface Reading {
  /** The options in force, as the guest printed them; undefined before it booted. */
  readonly options: string | undefined;
  /** Last tick; 0 before the first. */
  readonly ticks: number;
  /** How often all its memory was checked and found whole. */
  readonly rounds: number;
  /** How it ended, if it did. */
  readonly end: "off" | "crash" | undefined;
}

/** The consoles tell of something that must not happen: a tick skipped or repeated, memory lost, a reset. */
export class BrokenGuest extends Error {
  override readonly name = "BrokenGuest";
}

/** Reads joined consoles. An unfinished last line is left for later. Throws BrokenGuest. */
export function readTicker(text: string): Reading {
  let reading: Reading = { options: undefined, ticks: 0, rounds: 0, end: undefined };
  const lines = text.split("\n").slice(0, -1);
  for (const [index, line] of lines.entries()) reading = next(reading, line, index + 1);
  return reading;
}

function next(before: Reading, line: string, number: number): Reading {
  const [word = "", value = ""] = line.split(" ", 2);
  const broken = (what: string) => new BrokenGuest(`line ${number}, "${line}": ${what}`);
  if (before.end !== undefined) throw broken(`it went on after ${before.end}`);
  switch (word) {
    case "boot":
      if (before.options !== undefined) throw broken(`it was reset after tick ${before.ticks}`);
      return { ...before, options: line.slice("boot ".length) };
    case "t": {
      if (before.options === undefined) throw broken("it ticks without having booted");
      const tick = count(value);
      if (tick === before.ticks + 1) return { ...before, ticks: tick };
      const what = tick > before.ticks ? "skipped" : "repeated";
      throw broken(`tick ${what}: the one before was ${before.ticks}`);
    }
    case "v": {
      const rounds = count(value);
      if (rounds === before.rounds + 1) return { ...before, rounds };
      throw broken(`the round before was ${before.rounds}`);
    }
    case "off":
    case "crash":
      return { ...before, end: word };
    case "fault":
      throw broken("the processor raised an exception: its code or its state is not what it was");
    case "bad":
      throw broken(`memory at 0x${value} is not what was written there (tick ${before.ticks})`);
    default:
      throw broken("no line of this guest's");
  }

  function count(digits: string): number {
    if (!/^\d{8}$/.test(digits))
      throw broken("eight digits were expected: bytes were lost or mixed");
    return Number(digits);
  }
}
