/*
 * How a budget is divided among those who draw on it: evenly, but nobody gets more than it asked for, and
 * what one leaves the others have. Like water poured into vessels of different height that are joined at
 * the bottom. Pure.
 */

/**
 * What each gets, in the order of `asked`, in the budget's own unit. `undefined`: no limit, for a budget as
 * for what is asked. Never more than the budget altogether, but for what whole numbers lose.
 */
export function share(
  budget: number | undefined,
  asked: readonly (number | undefined)[],
): (number | undefined)[] {
  if (budget === undefined) return [...asked];
  const got: number[] = asked.map(() => 0);
  let left = budget;
  const byWish = asked
    .map((wish, index) => ({ wish: wish ?? Number.POSITIVE_INFINITY, index }))
    .sort((one, other) => one.wish - other.wish);
  byWish.forEach(({ wish, index }, turn) => {
    const even = Math.floor(left / (byWish.length - turn));
    const mine = Math.min(wish, even);
    got[index] = mine;
    left -= mine;
  });
  return got;
}
