import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'smol-toml';
import { expect, test } from 'vitest';
import { checkDag } from '../../src/dagfile/check.ts';
import { dagFileSchema } from '../../src/dagfile/schema.ts';

type Schema = Readonly<Record<string, unknown>>;

/** The part of JSON Schema that ours uses; a word that it does not know fails the test. */
function fits(schema: Schema, value: unknown): boolean {
  return Object.entries(schema).every(([word, rule]) => {
    const isTable = typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
    const table = isTable ? (value as Readonly<Record<string, unknown>>) : {};
    const properties = (schema['properties'] ?? {}) as Readonly<Record<string, Schema>>;
    switch (word) {
      case '$schema':
      case 'title':
      case 'description':
        return true;
      case 'type':
        return typeOf(value) === rule || (rule === 'number' && typeOf(value) === 'integer');
      case 'enum':
        return (rule as readonly unknown[]).includes(value);
      case 'anyOf':
        return (rule as readonly Schema[]).some((one) => fits(one, value));
      case 'not':
        return !fits(rule as Schema, value);
      case 'properties':
        return Object.keys(table).every(
          (key) => !Object.hasOwn(properties, key) || fits(properties[key] ?? {}, table[key]),
        );
      case 'additionalProperties':
        return Object.keys(table).every(
          (key) => Object.hasOwn(properties, key) || (rule !== false && fits(rule as Schema, table[key])),
        );
      case 'propertyNames':
        return Object.keys(table).every((key) => fits(rule as Schema, key));
      case 'required':
        return !isTable || (rule as readonly string[]).every((key) => Object.hasOwn(table, key));
      case 'items':
        return !Array.isArray(value) || value.every((item) => fits(rule as Schema, item));
      case 'minItems':
        return !Array.isArray(value) || value.length >= Number(rule);
      case 'minLength':
        return typeof value !== 'string' || value.length >= Number(rule);
      case 'pattern':
        return typeof value !== 'string' || new RegExp(String(rule), 'u').test(value);
      case 'minimum':
        return typeof value !== 'number' || value >= Number(rule);
      case 'exclusiveMinimum':
        return typeof value !== 'number' || value > Number(rule);
      case 'maximum':
        return typeof value !== 'number' || value <= Number(rule);
      default:
        throw new Error(`the schema uses ${word}`);
    }
  });
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}

function parserTakes(value: unknown): boolean {
  const config = { agents: [], skills: {} };
  return checkDag(value, { fileName: 'x', cwd: '/w', resolve: (path) => path, config }).errors.length === 0;
}

const schema = dagFileSchema();

const task = (more: Readonly<Record<string, unknown>>): unknown => ({ tasks: [{ id: 'a', command: 'true', ...more }] });

test.each([
  ...readdirSync('dags')
    .filter((name) => name.endsWith('.toml'))
    .map((name): [string, unknown] => [name, parse(readFileSync(`dags/${name}`, 'utf8'))]),
  ['minimal', task({})],
  [
    'both forms of retry',
    {
      dag: {
        tasks: [
          { id: 'a', command: 'x', retry: 1 },
          { id: 'b', command: 'x', retry: { max: 1, on: ['lost'] } },
        ],
      },
    },
  ],
  ['levels', task({ level: { Confirmed: null } })],
  ['key by variable', task({ agent_config: { api_key: { env: 'K' } } })],
  [
    'older boxes',
    task({ timeout_secs: { timeout: 3 }, idempotent: { idempotent: true }, rollback: { commands: ['x'] } }),
  ],
  ['matrix', task({ matrix: { v: [1, 'a', true] } })],
])('schema and parser take %s', (_name, value) => {
  expect([fits(schema, value), parserTakes(value)]).toEqual([true, true]);
});

test.each([
  ['no tasks', { dag: {} }],
  ['an empty list', { tasks: [] }],
  ['an unknown key', task({ dep: [] })],
  ['an unknown key at the top', { ...(task({}) as object), polcy: 'x' }],
  ['a literal key', task({ agent_config: { api_key: 'sk' } })],
  ['a wrong word', task({ context: 'all' })],
  ['a negative retry', task({ retry: -1 })],
  ['an id that is missing', { tasks: [{ command: 'true' }] }],
  ['a number as a variable', task({ env: { A: 1 } })],
  ['a bad name of a variable', task({ env: { 'A-B': 'x' } })],
  ['a zero timeout', task({ timeout_secs: 0 })],
  ['null', task({ name: null })],
  ['a list where a table should be', task({ level: [] })],
  ['adaptive rules', { dag: { adaptive: { rules: [] }, tasks: [{ id: 'a', command: 'x' }] } }],
])('schema and parser refuse %s', (_name, value) => {
  expect([fits(schema, value), parserTakes(value)]).toEqual([false, false]);
});
