/*
 * Reading QMP's answers. QEMU is trusted, but a version we never saw may answer in another shape:
 * that must be an error with a name, not `undefined` wandering off into a decision.
 */

export type Json = Readonly<Record<string, unknown>>;

export function asObject(value: unknown, what: string): Json {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json; // just seen
  throw new Error(`QEMU answered ${what} in a shape Ferry does not know`);
}

export function asObjects(value: unknown, what: string): Json[] {
  if (!Array.isArray(value))
    throw new Error(`QEMU answered ${what} in a shape Ferry does not know`);
  return value.map((each) => asObject(each, what));
}
