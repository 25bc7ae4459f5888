/* For what strangers can cause without end: says a little of it each minute, and how much was left out. */

const WINDOW_MS = 60_000;

/** Calls `say` at most `max` times a minute, with the number of calls left out before as its first argument. */
export function sparing<Words extends readonly unknown[]>(
  max: number,
  say: (unsaid: number, ...words: Words) => void,
  now: () => number = () => performance.now(),
): (...words: Words) => void {
  let begun = Number.NEGATIVE_INFINITY;
  let said = 0;
  let unsaid = 0;
  return (...words) => {
    if (now() - begun > WINDOW_MS) {
      begun = now();
      said = 0;
    }
    said += 1;
    if (said > max) {
      unsaid += 1;
      return;
    }
    say(unsaid, ...words);
    unsaid = 0;
  };
}
