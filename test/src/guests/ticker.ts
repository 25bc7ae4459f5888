/*
 * The tiny test guest (test/guests/ticker.S says what it does), as the tests ask for it. Options are
 * typed, since a misspelled one would be passed over by the guest and leave a test that cannot fail.
 */
import { fileURLToPath } from "node:url";

/** The committed binary. */
export const tickerPath = fileURLToPath(new URL("../../guests/ticker.bin", import.meta.url));

/** What the guest shall do; what is left out has the guest's own default. */
export interface TickerOptions {
  /** Ticks per second, 19 to 1000. Default 100. */
  readonly hz?: number;
  /** MiB to fill, check and rewrite. The guest needs 2 MiB more than that. Default 4. */
  readonly ram?: number;
  /** Pages rewritten per tick: what a copy must chase. Default 0. */
  readonly dirty?: number;
  /** Pages checked per tick. Default 64. */
  readonly check?: number;
  /** Tick at which it powers itself down. Default never. */
  readonly off?: number;
  /** Tick at which it crashes by a triple fault. Default never. */
  readonly crash?: number;
}

/** The kernel command line that asks for it. */
export function tickerCommandLine(options: TickerOptions): string {
  return Object.entries(options)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}
