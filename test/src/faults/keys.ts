/* Records whose keys are made of parts, such as "full:source": none is forgotten, and none is spelled out. */

export function each<Key extends string, Value>(keys: readonly Key[], value: (key: Key) => Value) {
  return Object.fromEntries(keys.map((key) => [key, value(key)])) as Record<Key, Value>; // every key
}

export const pairs = <A extends string, B extends string>(as: readonly A[], bs: readonly B[]) =>
  as.flatMap((a) => bs.map((b) => `${a}:${b}` as const));
