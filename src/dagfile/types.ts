import { didYouMean } from './nearest.ts';
import { under, type At, type Say } from './problem.ts';

/** What a value may be: reads it, and tells editors. Parser and JSON Schema come from the same description. */
export interface Type<T> {
  readonly schema: Schema;
  /** Completes "must be …". */
  readonly what: string;
  /** Undefined when something was wrong, which was said. */
  readonly read: (value: unknown, at: At, say: Say) => T | undefined;
}

export type Schema = { readonly [key: string]: unknown };

type Read<T> = T extends Type<infer V> ? V : never;

type Keys = Readonly<Record<string, Type<unknown>>>;

const ORIGIN = Symbol('origin');

interface Origin {
  readonly at: At;
  /** By the key's first name: how the file spells it, when otherwise. */
  readonly spelled: ReadonlyMap<string, string> | null;
}

export type Table<K extends Keys> = { readonly [Name in keyof K]?: Read<K[Name]> } & { readonly [ORIGIN]: Origin };

/** Where a table, or the value of one of its keys, stands in the file. */
export function placeOf(table: { readonly [ORIGIN]: Origin }, key?: string): At {
  const { at, spelled } = table[ORIGIN];
  return key === undefined ? at : under(at, spelled?.get(key) ?? key);
}

function wrong(what: string, value: unknown, at: At, say: Say): undefined {
  say({ message: `${nameOf(at)} must be ${what}, not ${kindOf(value)}`, at, part: 'value' });
  return undefined;
}

function nameOf(at: At): string {
  if (at === null) return 'the file';
  return typeof at.key === 'number' ? `${nameOf(at.up)}[${at.key}]` : `\`${at.key}\``;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (value instanceof Date) return 'a date';
  if (typeof value === 'string') return value === '' ? 'an empty text' : 'a text';
  if (typeof value === 'number') return Number.isInteger(value) ? `${value}` : `the number ${value}`;
  return typeof value === 'boolean' ? String(value) : 'a table';
}

export function text(
  options: { readonly what?: string; readonly pattern?: RegExp; readonly empty?: true } = {},
): Type<string> {
  const { what = 'a text', pattern } = options;
  const least = options.empty === undefined ? { minLength: 1 } : {};
  return {
    what,
    schema: { type: 'string', ...least, ...(pattern === undefined ? {} : { pattern: pattern.source }) },
    read: (value, at, say) => {
      if (typeof value !== 'string' || (value === '' && options.empty === undefined))
        return wrong(what, value, at, say);
      if (value.includes('\0')) {
        say({ message: `${nameOf(at)} must not hold a NUL character`, at, part: 'value' });
        return undefined;
      }
      if (pattern === undefined || pattern.test(value)) return value;
      say({ message: `${nameOf(at)} must be ${what}`, at, part: 'value' });
      return undefined;
    },
  };
}

export function integer(min: number, max = Number.MAX_SAFE_INTEGER): Type<number> {
  const what =
    max === Number.MAX_SAFE_INTEGER ? `a whole number, ${min} or more` : `a whole number from ${min} to ${max}`;
  const top = max === Number.MAX_SAFE_INTEGER ? {} : { maximum: max };
  return numeric(what, { type: 'integer', minimum: min, ...top }, (n) => Number.isInteger(n) && n >= min && n <= max);
}

/** A time in seconds, as the file writes it. */
export const seconds: Type<number> = numeric(
  'a number of seconds above 0',
  { type: 'number', exclusiveMinimum: 0, maximum: 31_536_000 },
  (n) => n > 0 && n <= 31_536_000,
);

export function numeric(what: string, schema: Schema, fits: (value: number) => boolean): Type<number> {
  return {
    what,
    schema,
    read: (value, at, say) => (typeof value === 'number' && fits(value) ? value : wrong(what, value, at, say)),
  };
}

export const boolean: Type<boolean> = {
  what: 'true or false',
  schema: { type: 'boolean' },
  read: (value, at, say) => (typeof value === 'boolean' ? value : wrong('true or false', value, at, say)),
};

/** One of some words; `also` are further spellings of them. */
export function choice<const W extends string>(words: readonly W[], also: Readonly<Record<string, W>> = {}): Type<W> {
  const all = new Map<string, W>([...words.map((word) => [word, word] as const), ...Object.entries(also)]);
  const what = `one of ${words.join(', ')}`;
  return {
    what,
    schema: { enum: [...all.keys()] },
    read: (value, at, say) => {
      const word = typeof value === 'string' ? all.get(value) : undefined;
      if (word !== undefined) return word;
      if (typeof value !== 'string') return wrong(what, value, at, say);
      say({ message: `${nameOf(at)} must be ${what}, not "${value}"`, ...didYouMean(value, words), at, part: 'value' });
      return undefined;
    },
  };
}

export function list<T>(of: Type<T>, atLeast = 0): Type<readonly T[]> {
  const what = atLeast > 0 ? 'a list that is not empty' : 'a list';
  return {
    what,
    schema: { type: 'array', items: of.schema, ...(atLeast > 0 ? { minItems: atLeast } : {}) },
    read: (value, at, say) => {
      if (!Array.isArray(value) || value.length < atLeast) return wrong(what, value, at, say);
      return value.flatMap((item, index) => {
        const read = of.read(item, under(at, index), say);
        return read === undefined ? [] : [read];
      });
    },
  };
}

/** A table whose keys are names of the author's own. */
export function record<T>(of: Type<T>, name: RegExp, nameWhat: string): Type<Readonly<Record<string, T>>> {
  return {
    what: 'a table',
    schema: { type: 'object', additionalProperties: of.schema, propertyNames: { pattern: name.source } },
    read: (value, at, say) => {
      if (!isTable(value)) return wrong('a table', value, at, say);
      const entries = Object.entries(value).flatMap(([key, item]): [string, T][] => {
        if (!name.test(key)) say({ message: `\`${key}\` is not ${nameWhat}`, at: under(at, key), part: 'key' });
        const read = of.read(item, under(at, key), say);
        return read === undefined ? [] : [[key, read]];
      });
      // fromEntries defines properties, so that a key like `__proto__` is a key like any other.
      return Object.fromEntries(entries);
    },
  };
}

/** Anything that JSON can hold, kept as it is. */
export const json: Type<unknown> = {
  what: 'a value',
  schema: {},
  read: (value) => JSON.parse(JSON.stringify(value ?? null)) as unknown,
};

export interface Shapes<T> {
  readonly string?: Type<T>;
  readonly number?: Type<T>;
  readonly boolean?: Type<T>;
  readonly list?: Type<T>;
  readonly table?: Type<T>;
  readonly null?: T;
}

/** One of several shapes, told apart by what kind of value stands there. */
export function either<T>(what: string, shapes: Shapes<T>): Type<T> {
  const types = [shapes.string, shapes.number, shapes.boolean, shapes.list, shapes.table].filter(
    (type) => type !== undefined,
  );
  const none = 'null' in shapes ? [{ type: 'null' }] : [];
  return {
    what,
    schema: { anyOf: [...types.map((type) => type.schema), ...none] },
    read: (value, at, say) => {
      if (value === null && 'null' in shapes) return shapes.null;
      const type = shapeOf(value);
      const found = type === null ? undefined : shapes[type];
      return found === undefined ? wrong(what, value, at, say) : found.read(value, at, say);
    },
  };
}

function shapeOf(value: unknown): 'string' | 'number' | 'boolean' | 'list' | 'table' | null {
  if (Array.isArray(value)) return 'list';
  if (isTable(value)) return 'table';
  const kind = typeof value;
  return kind === 'string' || kind === 'number' || kind === 'boolean' ? kind : null;
}

/** Reads as `type` does and then makes something else of it. */
export function mapped<A, B>(type: Type<A>, make: (value: A, at: At, say: Say) => B | undefined): Type<B> {
  return {
    what: type.what,
    schema: type.schema,
    read: (value, at, say) => {
      const read = type.read(value, at, say);
      return read === undefined ? undefined : make(read, at, say);
    },
  };
}

/** Says `message` to whatever is there, without showing it when it is `secret`. */
export function refused<T>(message: string, hint: string, secret = false): Type<T> {
  return {
    what: 'nothing',
    schema: { not: {} },
    read: (_value, at, say) => {
      say({ message, hint, at, part: 'value', ...(secret ? { secret } : {}) });
      return undefined;
    },
  };
}

interface TableOptions<K extends Keys> {
  /** How messages call it, such as "task `build`". */
  readonly noun: (value: Readonly<Record<string, unknown>>) => string;
  readonly also?: Readonly<Record<string, keyof K & string>>;
  readonly required?: readonly (keyof K & string)[];
}

/** A table with known keys; `also` are further spellings of them. A key that is not known is said, with the nearest one. */
export function table<const K extends Keys>(keys: K, options: TableOptions<K>): Type<Table<K>> {
  const also = new Map<string, string>(Object.entries(options.also ?? {}));
  const types = new Map<string, Type<unknown>>(Object.entries(keys));
  const required = options.required ?? [];
  return {
    what: 'a table',
    schema: tableSchema(types, also, required),
    read: (value, at, say) => {
      if (!isTable(value)) return wrong('a table', value, at, say);
      const result: Record<string | symbol, unknown> = {};
      let spelled: Map<string, string> | null = null;
      for (const key of Object.keys(value)) {
        const name = also.get(key) ?? key;
        const type = types.get(name);
        if (type === undefined) sayUnknown(key, options.noun(value), [...types.keys(), ...also.keys()], at, say);
        else if (Object.hasOwn(result, name)) sayTwice(key, name, at, say);
        else {
          if (name !== key) (spelled ??= new Map()).set(name, key);
          result[name] = type.read(value[key], under(at, key), say);
        }
      }
      for (const key of required) {
        if (!Object.hasOwn(result, key)) say({ message: `${options.noun(value)} needs \`${key}\``, at, part: 'key' });
      }
      result[ORIGIN] = { at, spelled };
      return result as unknown as Table<K>;
    },
  };
}

function sayUnknown(key: string, noun: string, known: readonly string[], at: At, say: Say): void {
  const close = didYouMean(key, known).hint;
  const comma = close === undefined ? '' : `, ${close}`;
  say({ message: `unknown key \`${key}\` in ${noun}${comma}`, at: under(at, key), part: 'key' });
}

function sayTwice(key: string, name: string, at: At, say: Say): void {
  say({
    message: `\`${key}\` says \`${name}\` a second time`,
    hint: 'keep one of the two',
    at: under(at, key),
    part: 'key',
  });
}

function tableSchema(
  types: ReadonlyMap<string, Type<unknown>>,
  also: ReadonlyMap<string, string>,
  required: readonly string[],
): Schema {
  const names: [string, string][] = [...types.keys()].map((key) => [key, key]);
  const properties = [...names, ...also].map(([key, name]) => [key, types.get(name)?.schema ?? {}]);
  const must = required.length === 0 ? {} : { required };
  return { type: 'object', properties: Object.fromEntries(properties), additionalProperties: false, ...must };
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
