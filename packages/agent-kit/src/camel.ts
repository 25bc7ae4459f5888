/* Names are snake_case in files and camelCase in code; `null` in a file is "not set". */

type Camel<Name> = Name extends `${infer First}_${infer Rest}`
  ? `${First}${Capitalize<Camel<Rest>>}`
  : Name;

/** T with its keys in camelCase, deeply, and `undefined` for `null`. */
export type Camelized<T> = T extends null
  ? undefined
  : T extends readonly (infer Element)[]
    ? readonly Camelized<Element>[]
    : T extends object
      ? { readonly [Key in keyof T as Camel<Key>]: Camelized<T[Key]> }
      : T;

export function camelize<T>(value: T): Camelized<T> {
  return convert(value) as Camelized<T>; // the type says what `convert` does
}

function convert(value: unknown): unknown {
  if (value === null) return undefined;
  if (Array.isArray(value)) return value.map(convert);
  if (typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
      convert(each),
    ]),
  );
}
