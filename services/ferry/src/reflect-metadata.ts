/*
 * @peculiar/x509 registers its algorithms in a container (tsyringe) that will not load without the
 * Reflect.metadata proposal, of which it needs these functions and nothing else: it asks for
 * parameters' types, and is content with none. Import that library only through this file.
 */
type Key = string | symbol;

const metadata = new WeakMap<object, Map<Key, unknown>>();

function of(target: object): Map<Key, unknown> {
  const known = metadata.get(target);
  if (known !== undefined) return known;
  const fresh = new Map<Key, unknown>();
  metadata.set(target, fresh);
  return fresh;
}

const get = (key: Key, target: object): unknown => of(target).get(key);
const define = (key: Key, value: unknown, target: object): void => {
  of(target).set(key, value);
};

export async function loadX509(): Promise<typeof import("@peculiar/x509")> {
  if (!("getMetadata" in Reflect)) {
    Object.assign(Reflect, { getMetadata: get, getOwnMetadata: get, defineMetadata: define });
  }
  return import("@peculiar/x509");
}
