import { readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { err, ok, type Result } from '../domain/result.ts';
import type { CheckedFile } from './check.ts';
import type { Config, ConfigProblem, Origin, TomlTable } from './config.ts';
import type { Home } from './home.ts';
import { listPlaces, type Field, type Place } from './schema.ts';

export interface LoadRequest {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: Home;
  /** By place, such as `dag.max_workers`: values that the command line gave. */
  readonly flags?: Readonly<Record<string, unknown>>;
}

export interface LoadedConfig {
  readonly config: Config;
  /** By place. */
  readonly origins: ReadonlyMap<string, Origin>;
}

interface Layer extends CheckedFile {
  readonly origin: { readonly kind: 'user' | 'project'; readonly path: string };
}

/**
 * Lays flags over `CIS_*` variables over the project's `.cis/config.toml` (the nearest upwards) over the user's own over the
 * defaults. All mistakes of all of them come back at once. Without files it reads no parser at all.
 */
export async function loadConfig(request: LoadRequest): Promise<Result<LoadedConfig, readonly ConfigProblem[]>> {
  const problems: ConfigProblem[] = [];
  const layers: Layer[] = [];
  for (const file of findFiles(request)) {
    const { readLayer } = await import('./layer.ts');
    const layer = await readLayer(file, await isForeign(file, request.home));
    if (layer.ok) layers.push({ ...layer.value, origin: { kind: file.kind, path: file.path } });
    else problems.push(...layer.error);
  }
  const values = new Map<string, unknown>();
  const origins = new Map<string, Origin>();
  for (const place of listPlaces()) {
    const found = pick(place, layers, request);
    if (found.ok) {
      values.set(place.path, found.value.value);
      origins.set(place.path, found.value.origin);
    } else problems.push(found.error);
  }
  return problems.length > 0 ? err(problems) : ok({ config: assemble(values, layers), origins });
}

async function isForeign(file: ConfigFile, home: Home): Promise<boolean> {
  if (file.kind === 'user') return false;
  const { isTrusted } = await import('./trust.ts');
  return !isTrusted(home, file.path, file.text);
}

export interface ConfigFile {
  readonly kind: 'user' | 'project';
  readonly path: string;
  readonly text: string;
}

/** The path of the nearest `.cis/config.toml` from `cwd` upwards that is not the user's own, if there is one. */
export function findProjectConfig(cwd: string, home: Home): ConfigFile | null {
  const own = realPath(home.config);
  for (let dir = cwd; ; dir = dirname(dir)) {
    const path = join(dir, '.cis', 'config.toml');
    const text = realPath(path) === own ? null : readIfThere(path);
    if (text !== null) return { kind: 'project', path, text };
    if (dir === dirname(dir)) return null;
  }
}

function findFiles({ cwd, home }: LoadRequest): ConfigFile[] {
  const project = findProjectConfig(cwd, home);
  const text = readIfThere(home.config);
  const user: ConfigFile[] = text === null ? [] : [{ kind: 'user', path: home.config, text }];
  return project === null ? user : [project, ...user];
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw error;
  }
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

type Picked = { readonly value: unknown; readonly origin: Origin };

function pick(place: Place, layers: readonly Layer[], request: LoadRequest): Result<Picked, ConfigProblem> {
  const flag = request.flags?.[place.path];
  if (flag !== undefined) return ok({ value: flag, origin: { kind: 'flag', name: place.path } });
  const text = request.env[place.env];
  if (text !== undefined && text !== '') return fromEnv(place, text);
  const layer = layers.find(({ values }) => values.has(place.path));
  if (layer === undefined) return ok({ value: place.field.default, origin: { kind: 'default' } });
  return ok({ value: layerValue(place, layer, layers), origin: layer.origin });
}

/** Each project adds patterns of what to hide and takes none away. */
function layerValue(place: Place, layer: Layer, layers: readonly Layer[]): unknown {
  const value = layer.values.get(place.path);
  if (place.path !== 'redact' || layer.origin.kind !== 'project') return value;
  const user = layers.find(({ origin, values }) => origin.kind === 'user' && values.has('redact'));
  return [...new Set([...((user?.values.get('redact') ?? place.field.default) as string[]), ...(value as string[])])];
}

function fromEnv(place: Place, text: string): Result<Picked, ConfigProblem> {
  const value = parseText(place.field, text);
  if (value !== null) return ok({ value, origin: { kind: 'env', name: place.env } });
  return err({ where: place.env, line: null, column: null, message: `"${text}" is not ${expected(place.field)}` });
}

/** Null when the text of a variable is no value of the field. Lists are separated by commas. */
function parseText(field: Field, text: string): unknown {
  switch (field.kind) {
    case 'string':
      return text;
    case 'strings':
      return text.split(',').map((word) => word.trim());
    case 'choice':
      return field.choices.includes(text) ? text : null;
    case 'boolean':
      return ['1', 'true', 'yes'].includes(text) ? true : ['0', 'false', 'no'].includes(text) ? false : null;
    case 'integer': {
      const fits = /^\d{1,15}$/.test(text) && Number(text) >= field.min && Number(text) <= (field.max ?? Infinity);
      return fits ? Number(text) : null;
    }
  }
}

function expected(field: Field): string {
  if (field.kind === 'choice') return `one of ${field.choices.join(', ')}`;
  if (field.kind === 'boolean') return 'true or false';
  if (field.kind === 'integer')
    return `a whole number from ${field.min}${field.max === undefined ? ' on' : ` to ${field.max}`}`;
  return 'text';
}

function assemble(values: ReadonlyMap<string, unknown>, layers: readonly Layer[]): Config {
  const scalars: Record<string, Record<string, unknown>> = {};
  for (const place of listPlaces()) (scalars[place.section] ??= {})[place.key] = values.get(place.path);
  const lowestFirst = layers.toReversed();
  return {
    ...(scalars as unknown as Config),
    answers: layers.flatMap((layer) => layer.answers),
    agents: mergeAgents(lowestFirst.map((layer) => layer.agents)),
    skills: Object.assign({}, ...lowestFirst.map((layer) => layer.skills)) as Config['skills'],
    dags: Object.assign({}, ...lowestFirst.map((layer) => layer.dags)) as Config['dags'],
  };
}

/** A key that both files give of one agent is the project's, which was trusted; the others stay. */
function mergeAgents(all: readonly Config['agents'][]): Config['agents'] {
  const merged: Record<string, TomlTable> = {};
  for (const agents of all)
    for (const [name, table] of Object.entries(agents)) merged[name] = { ...merged[name], ...table };
  return merged;
}
