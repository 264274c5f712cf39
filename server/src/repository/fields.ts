/** A value that does not have the shape its record promises; `where` is the path of the field. */
export class FieldMismatch extends Error {
  override readonly name = 'FieldMismatch';
  readonly where: string;

  constructor(where: string, expected: string) {
    super(`${where === '' ? 'the record' : where} is not ${expected}`);
    this.where = where;
  }
}

/** Turns an unknown JSON value into a T or throws FieldMismatch. */
export interface Field<T> {
  readonly optional: false;
  parse(value: unknown, where: string): T;
}

/** A field that may be absent from its object. */
export interface OptionalField<T> {
  readonly optional: true;
  parse(value: unknown, where: string): T;
}

/** One field a property: optional properties need an OptionalField, the others must not have one. */
export type Shape<T> = {
  readonly [K in keyof T]-?: T extends Readonly<Record<K, T[K]>> ? Field<T[K]> : OptionalField<Required<T>[K]>;
};

const field = <T>(parse: (value: unknown, where: string) => T): Field<T> => ({ optional: false, parse });

/** Text that matches the pattern; `expected` names it in the error. */
export function text(pattern = /^/, expected = 'text'): Field<string> {
  return field((value, where) => {
    if (typeof value !== 'string' || !pattern.test(value)) throw new FieldMismatch(where, expected);
    return value;
  });
}

/** A whole number that JavaScript holds exactly, not below `minimum`. */
export function integer(minimum = 0, maximum = Number.MAX_SAFE_INTEGER): Field<number> {
  return field((value, where) => {
    if (!Number.isSafeInteger(value) || (value as number) < minimum || (value as number) > maximum) {
      throw new FieldMismatch(where, `a whole number from ${minimum} to ${maximum}`);
    }
    return value as number;
  });
}

/** True or false. */
export const boolean: Field<boolean> = field((value, where) => {
  if (typeof value !== 'boolean') throw new FieldMismatch(where, 'true or false');
  return value;
});

/** One of the given values. */
export function oneOf<const T extends string | number>(...values: readonly T[]): Field<T> {
  return field((value, where) => {
    const found = values.find((candidate) => candidate === value);
    if (found === undefined) throw new FieldMismatch(where, `one of ${values.join(', ')}`);
    return found;
  });
}

/** A list of such values, at least `minimum` of them. */
export function listOf<T>(item: Field<T>, minimum = 0): Field<readonly T[]> {
  return field((value, where) => {
    if (!Array.isArray(value)) throw new FieldMismatch(where, 'a list');
    if (value.length < minimum) throw new FieldMismatch(where, `a list of at least ${minimum}`);
    return value.map((element: unknown, index) => item.parse(element, `${where}[${index}]`));
  });
}

/** Makes a field optional. */
export function optional<T>(inner: Field<T>): OptionalField<T> {
  return { optional: true, parse: (value, where) => inner.parse(value, where) };
}

/** An object of that shape. Properties it does not name are dropped: later versions may add some within a format. */
export function object<T extends object>(shape: Shape<T>): Field<T> {
  const entries = Object.entries<Field<unknown> | OptionalField<unknown>>(shape);
  return field((value, where) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new FieldMismatch(where, 'an object');
    }
    const given = value as Readonly<Record<string, unknown>>;
    const result: Record<string, unknown> = {};
    for (const [name, inner] of entries) {
      const path = where === '' ? name : `${where}.${name}`;
      if (Object.hasOwn(given, name)) result[name] = inner.parse(given[name], path);
      else if (!inner.optional) throw new FieldMismatch(path, 'there');
    }
    return result as T;
  });
}
