import { dirname, isAbsolute } from 'node:path';
import type { AnswerRule } from '../domain/dag.ts';
import { nearest } from '../domain/nearest.ts';
import type { Config, TomlTable, TomlValue } from './config.ts';
import { agentKeys, answerKeys, dagKeys, listPlaces, skillKeys, type Field, type Place } from './schema.ts';

type KeyPath = readonly (string | number)[];

/** A mistake and the keys that lead to it; the file's text says later in which line that is. */
export interface Mistake {
  readonly path: KeyPath;
  readonly message: string;
}

/** What one file says, checked. */
export interface CheckedFile {
  /** By the words of its place, such as `dag.max_workers`. */
  readonly values: ReadonlyMap<string, unknown>;
  readonly answers: readonly AnswerRule[];
  readonly agents: Config['agents'];
  readonly skills: Config['skills'];
  readonly dags: Config['dags'];
  readonly mistakes: readonly Mistake[];
}

const named = { answers: answerKeys, agents: agentKeys, skills: skillKeys, dags: dagKeys };
const neverAnswered = ['trust', 'login', 'password'];

/** Checks every key of a file; `asProject` refuses what an untrusted project may not set. All mistakes are found at once. */
export function checkFile(table: TomlTable, asProject: boolean): CheckedFile {
  const mistakes: Mistake[] = [];
  const values = new Map<string, unknown>();
  for (const found of flatten(table, [])) {
    if (!Array.isArray(found)) mistakes.push(found);
    else {
      const [place, value] = found;
      const forbidden = asProject && place.field.project !== true;
      const wrong = checkValue(place.field, value);
      const message = forbidden ? untrusted(place.path) : wrong === null ? null : `\`${place.path}\` ${wrong}`;
      if (message !== null) mistakes.push({ path: place.path.split('.'), message });
      else values.set(place.path, value);
    }
  }
  if (asProject)
    mistakes.push(
      ...Object.keys(named).flatMap((key) =>
        Object.hasOwn(table, key) ? [{ path: [key], message: untrusted(key) }] : [],
      ),
    );
  const answers = checkAnswers(table['answers'], mistakes);
  const agents = checkNamed('agents', table['agents'], mistakes);
  const skills = checkSkills(table['skills'], mistakes);
  return { values, answers, agents, skills, dags: checkDags(table['dags'], mistakes), mistakes };
}

/** Null when the value fits the field, else what is wrong with it. */
function checkValue(field: Field, value: unknown): string | null {
  switch (field.kind) {
    case 'string':
      return typeof value === 'string' ? null : `must be text, not ${shown(value)}`;
    case 'boolean':
      return typeof value === 'boolean' ? null : `must be true or false, not ${shown(value)}`;
    case 'integer':
      return checkInteger(field, value);
    case 'strings':
      return Array.isArray(value) && value.every((one) => typeof one === 'string')
        ? null
        : `must be a list of texts, not ${shown(value)}`;
    case 'choice':
      return typeof value === 'string' && field.choices.includes(value)
        ? null
        : `must be one of ${field.choices.join(', ')}, not ${shown(value)}`;
  }
}

function checkInteger(field: Field & { kind: 'integer' }, value: unknown): string | null {
  const upTo = field.max === undefined ? '' : ` to ${field.max}`;
  const fits =
    typeof value === 'number' &&
    Number.isInteger(value) &&
    value >= field.min &&
    value <= (field.max ?? Number.MAX_SAFE_INTEGER);
  return fits ? null : `must be a whole number from ${field.min}${upTo || ' on'}, not ${shown(value)}`;
}

function untrusted(path: string): string {
  return `a project may not set \`${path}\` until you read this file and allow it with \`cis config trust\``;
}

/** Every value with its place; a key without one is a mistake. */
function* flatten(table: TomlTable, path: readonly string[]): Generator<[Place, TomlValue] | Mistake> {
  for (const [key, value] of Object.entries(table)) {
    const words = [...path, key];
    if (path.length === 0 && Object.hasOwn(named, key)) continue;
    const place = places.get(words.join('.'));
    if (place !== undefined && place.path.split('.').length === words.length) yield [place, value];
    else if (headings.has(words.join('.'))) {
      if (isTable(value)) yield* flatten(value, words);
      else yield { path: words, message: `\`${words.join('.')}\` is a section: write [${words.join('.')}]` };
    } else yield { path: words, message: unknownKey(words) };
  }
}

const places = new Map(listPlaces().map((place) => [place.path, place]));
const headings = new Set(
  [...places.keys()].flatMap((path) => path.split('.').map((_, index, words) => words.slice(0, index).join('.'))),
);

function unknownKey(words: readonly string[]): string {
  const section = words.slice(0, -1).join('.');
  const prefix = section === '' ? '' : `${section}.`;
  const siblings = [...places.keys(), ...headings, ...Object.keys(named)]
    .filter((path) => path.startsWith(prefix) && path !== section)
    .map((path) => path.slice(prefix.length).split('.')[0] ?? '');
  const inSection = section === '' ? '' : ` in [${section}]`;
  return `unknown key \`${words.at(-1)}\`${inSection}${didYouMean(words.at(-1) ?? '', siblings)}`;
}

function didYouMean(word: string, words: Iterable<string>): string {
  const near = nearest(word, words);
  return near === null ? '' : `, did you mean \`${near}\`?`;
}

function checkNamed(
  kind: 'agents' | 'skills' | 'dags',
  value: TomlValue | undefined,
  mistakes: Mistake[],
): Record<string, TomlTable> {
  if (value === undefined) return {};
  if (!isTable(value)) {
    mistakes.push({ path: [kind], message: `write [${kind}.NAME]` });
    return {};
  }
  const good: Record<string, TomlTable> = {};
  for (const [name, table] of Object.entries(value)) {
    if (!isTable(table)) mistakes.push({ path: [kind, name], message: `write [${kind}.${name}]` });
    else if (checkKeys(table, named[kind], [kind, name], mistakes)) good[name] = table;
  }
  return good;
}

function checkKeys(
  table: TomlTable,
  known: Readonly<Record<string, string>>,
  path: KeyPath,
  mistakes: Mistake[],
): boolean {
  const unknown = Object.keys(table).filter((key) => !Object.hasOwn(known, key));
  for (const key of unknown) {
    const message = `unknown key \`${key}\` in [${path.filter((word) => typeof word === 'string').join('.')}]`;
    mistakes.push({ path: [...path, key], message: message + didYouMean(key, Object.keys(known)) });
  }
  return unknown.length === 0;
}

function checkSkills(value: TomlValue | undefined, mistakes: Mistake[]): Config['skills'] {
  const good: Record<string, { command: string; description?: string }> = {};
  for (const [name, table] of Object.entries(checkNamed('skills', value, mistakes))) {
    const { command, description } = table;
    if (typeof command !== 'string')
      mistakes.push({ path: ['skills', name], message: `[skills.${name}] needs \`command\`, a text` });
    else good[name] = { command, ...(typeof description === 'string' ? { description } : {}) };
  }
  return good;
}

/** A room names a DAG by its name only, so whatever a room can start is a path that was written here. */
function checkDags(value: TomlValue | undefined, mistakes: Mistake[]): Config['dags'] {
  const good: Record<string, Config['dags'][string]> = {};
  for (const [name, table] of Object.entries(checkNamed('dags', value, mistakes))) {
    const { file, directory = typeof file === 'string' ? dirname(file) : undefined, description = null } = table;
    const fail = (key: string, message: string) => mistakes.push({ path: ['dags', name, key], message });
    if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/.test(name))
      mistakes.push({ path: ['dags', name], message: `\`${name}\` is no name: letters, digits, _ and -, at most 40` });
    else if (typeof file !== 'string' || !isAbsolute(file))
      fail('file', `[dags.${name}] needs \`file\`, an absolute path`);
    else if (typeof directory !== 'string' || !isAbsolute(directory))
      fail('directory', '`directory` must be an absolute path');
    else if (description !== null && typeof description !== 'string') fail('description', '`description` must be text');
    else good[name] = { file, directory, description };
  }
  return good;
}

function checkAnswers(value: TomlValue | undefined, mistakes: Mistake[]): AnswerRule[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    mistakes.push({ path: ['answers'], message: 'write [[answers]]' });
    return [];
  }
  return value.flatMap((table, index) => {
    const rule = isTable(table) ? checkAnswer(table, index, mistakes) : null;
    return rule === null ? [] : [rule];
  });
}

function checkAnswer(table: TomlTable, index: number, mistakes: Mistake[]): AnswerRule | null {
  const path = ['answers', index];
  const { name = `answers ${index + 1}`, agent, kind, match, choose, max_times: maxTimes = 1 } = table;
  const fail = (key: string, message: string) => mistakes.push({ path: key in table ? [...path, key] : path, message });
  const before = mistakes.length;
  checkKeys(table, answerKeys, path, mistakes);
  for (const [key, text] of Object.entries({ name, agent, kind })) {
    if (text !== undefined && typeof text !== 'string') fail(key, `\`${key}\` must be text`);
  }
  if (typeof match !== 'string') fail('match', '[[answers]] needs `match`, a regular expression');
  else if (!isRegExp(match)) fail('match', `\`${match}\` is not a regular expression`);
  if (typeof choose !== 'string') fail('choose', '[[answers]] needs `choose`, the label to pick or the text to give');
  if (typeof kind === 'string' && neverAnswered.includes(kind))
    fail('kind', `questions of the kind ${kind} are never answered by a rule`);
  if (typeof maxTimes !== 'number' || !Number.isInteger(maxTimes) || maxTimes < 1)
    fail('max_times', '`max_times` must be a whole number from 1 on');
  if (mistakes.length > before) return null;
  return {
    name,
    match,
    choose,
    maxTimes,
    ...(agent === undefined ? {} : { agent }),
    ...(kind === undefined ? {} : { kind }),
  } as AnswerRule;
}

function isRegExp(text: string): boolean {
  try {
    return new RegExp(text, 'u') instanceof RegExp;
  } catch {
    return false;
  }
}

function isTable(value: unknown): value is TomlTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function shown(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  return isTable(value) ? 'a table' : (JSON.stringify(value) ?? String(value));
}
