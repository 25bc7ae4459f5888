/* Which of many nodes can reach a goal, found from the far end. */
import { Ints } from "./ints.js";

/** Marks with 1 all that can reach one of `goals` by the given steps (pairs: from, to). */
export function canReach(goals: readonly number[], pairs: Ints, size: number): Uint8Array {
  const count = pairs.length / 2;
  const first = new Int32Array(size).fill(-1);
  const next = new Int32Array(count);
  for (let pair = 0; pair < count; pair += 1) {
    const to = pairs.at(pair * 2 + 1);
    next[pair] = first[to] ?? -1;
    first[to] = pair;
  }
  const reached = new Uint8Array(size);
  const open = new Ints();
  for (const goal of goals) {
    reached[goal] = 1;
    open.push(goal);
  }
  while (open.length > 0) {
    const to = open.at(open.length - 1);
    open.cut(open.length - 1);
    for (let pair = first[to] ?? -1; pair !== -1; pair = next[pair] ?? -1) {
      const from = pairs.at(pair * 2);
      if (reached[from] === 1) continue;
      reached[from] = 1;
      open.push(from);
    }
  }
  return reached;
}
