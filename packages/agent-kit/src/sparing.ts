/* For what others can cause without end: says a little of it each minute, and how much was left out. */

const WINDOW_MS = 60_000;
/** Of so many each is told of by itself; more share what one has. */
const APART_MAX = 64;

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

/** The same for each of those that `of` names, so that one of them drowns nobody's lines but its own. */
export function sparingEach<Words extends readonly unknown[]>(
  max: number,
  say: (unsaid: number, ...words: Words) => void,
  now: () => number = () => performance.now(),
): (of: string, ...words: Words) => void {
  const apart = new Map<string, (...words: Words) => void>();
  const others = sparing(max, say, now);
  return (of, ...words) => {
    let one = apart.get(of);
    if (one === undefined && apart.size < APART_MAX) {
      one = sparing(max, say, now);
      apart.set(of, one);
    }
    (one ?? others)(...words);
  };
}
