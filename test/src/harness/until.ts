/*
 * The one place where a test waits for something it is not told of. Every wait has a bound and says
 * what it waited for; nothing sleeps for a time that somebody guessed.
 */

/** How often a condition is looked at, in milliseconds. */
const LOOK_EVERY_MS = 10;

/** Waits until `look` gives something, and gives it. Throws what `look` throws, or that time ran out. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | null | Promise<T | undefined | false | null>,
  withinMs = 60_000,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false && seen !== null) return seen;
    if (Date.now() > deadline) throw new Error(`waited ${withinMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
