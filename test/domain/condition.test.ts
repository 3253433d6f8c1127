import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evaluateCondition, renderCondition, tasksOfCondition, type Scalar } from '../../src/domain/condition.ts';
import { parseCondition } from '../../src/domain/condition-parser.ts';

const known = new Set(['build', 'plan', 'a.b', 'a.b.output', 'cuda-compile', '__proto__']);
const results: Readonly<Record<string, Scalar>> = {
  'build.exit_code': 0,
  'plan.output': 'yes, go\n',
  'cuda-compile.status': 'failed',
  'a.b.output': '10',
  'a.b.output.output': 'deep',
  'build.attempts': 2,
};

function holds(text: string): boolean {
  const parsed = parseCondition(text, (id) => known.has(id));
  if (!parsed.ok) throw new Error(parsed.error.message);
  return evaluateCondition(parsed.value, {
    task: (id, field) => results[`${id}.${field}`] ?? null,
    env: (name) => (name === 'CI' ? 'true' : null),
    var: (name) => (name === 'mode' ? 'fast' : null),
  });
}

test.each([
  ['tasks.build.exit_code == 0 && tasks.plan.output contains "yes"', true],
  ["if cuda-compile.status == 'failed'", true],
  ["cuda-compile.status != 'failed'", false],
  ["tasks['plan'].output matches '^yes'", true],
  ['tasks.plan.output == "yes, go"', true],
  ['tasks.a.b.output == 10', true],
  ['tasks.a.b.output >= 9', true],
  ['tasks.a.b.output.output == "deep"', true],
  ['!(build.attempts > 2) and env.CI == true', true],
  ['not build.exit_code == 0 || var.mode == "fast"', true],
  ['env.MISSING == "x"', false],
  ['env.MISSING != "x"', true],
  ['tasks.plan.exit_code < 5', false],
  ['"" < 1', false],
  ['tasks.__proto__.status == "completed"', false],
])('%s is %s', (text, expected) => {
  expect(holds(text)).toBe(expected);
});

test.each([
  ['tasks.buidl.exit_code == 0', 0, 21],
  ['build.exit_code = 0', 16, 1],
  ['build.exit_code == ', 19, 1],
  ['build.exitcode == 0', 0, 14],
  ['build.exit_code', 15, 1],
  ['(build.exit_code == 0', 21, 1],
  ['build.exit_code == 0 build', 21, 5],
  ['plan.output matches "("', 20, 3],
  [`${'('.repeat(100_000)}1 == 1`, 100, 1],
])('%s is refused at its place', (text, start, length) => {
  const parsed = parseCondition(text, (id) => known.has(id));
  expect(parsed.ok ? null : { start: parsed.error.start, length: parsed.error.length }).toEqual({ start, length });
});

test('any text is either a condition that renders to itself again or a problem inside of it', () => {
  const words = [
    'tasks.build.exit_code',
    '==',
    '!=',
    '<',
    'contains',
    '1',
    '"x"',
    '&&',
    '||',
    '!',
    '(',
    ')',
    'env.A',
    'var.b',
    'if',
    ' ',
    "tasks['a.b'].output",
  ];
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...words), { maxLength: 12 }).map((list) => list.join(' ')),
      (text) => {
        const parsed = parseCondition(text, (id) => known.has(id));
        if (!parsed.ok) {
          expect(parsed.error.start).toBeLessThanOrEqual(text.length);
          return;
        }
        const again = parseCondition(renderCondition(parsed.value), (id) => known.has(id));
        expect(again.ok && renderCondition(again.value)).toBe(renderCondition(parsed.value));
        expect(tasksOfCondition(parsed.value).every((id) => known.has(id))).toBe(true);
      },
    ),
  );
});
