import type { AnswerRule } from '../domain/dag.ts';
import type { sections, SectionName } from './schema.ts';

type Value<F> = F extends { kind: 'choice'; choices: readonly (infer C)[] }
  ? C
  : F extends { kind: 'strings' }
    ? readonly string[]
    : F extends { kind: 'boolean' }
      ? boolean
      : F extends { kind: 'integer' }
        ? number
        : F extends { default: null }
          ? string | null
          : string;

type Fields<S extends SectionName> = (typeof sections)[S]['fields'];

type Scalars = { readonly [S in SectionName]: { readonly [K in keyof Fields<S>]: Value<Fields<S>[K]> } };

export type TomlValue = string | number | bigint | boolean | Date | TomlValue[] | { [key: string]: TomlValue };
export type TomlTable = Readonly<Record<string, TomlValue>>;

/** What cis is set to, after flags, environment, project file, user file and defaults were laid over each other. */
export interface Config extends Scalars {
  readonly answers: readonly AnswerRule[];
  /** By name; only their keys were checked here. */
  readonly agents: Readonly<Record<string, TomlTable>>;
  readonly skills: Readonly<Record<string, { readonly command: string; readonly description?: string }>>;
  /** What a room may start, by the name that it is called there. */
  readonly dags: Readonly<Record<string, ListedDag>>;
}

export interface ListedDag {
  readonly file: string;
  readonly directory: string;
  readonly description: string | null;
}

/** Where a value came from. */
export type Origin =
  | { readonly kind: 'default' }
  | { readonly kind: 'user' | 'project'; readonly path: string }
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'flag'; readonly name: string };

/** A mistake in a file, a variable or a flag; line and column (from 1) are null where there are none. */
export interface ConfigProblem {
  readonly where: string;
  readonly line: number | null;
  readonly column: number | null;
  readonly message: string;
}

export function describeConfigProblem(problem: ConfigProblem): string {
  const place = problem.line === null ? problem.where : `${problem.where}:${problem.line}:${problem.column ?? 1}`;
  return `${place}: ${problem.message}`;
}
