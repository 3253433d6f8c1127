import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SessionId } from '../../../src/domain/ids.ts';
import { nextDashboard } from '../../../src/ui/dashboard/next.ts';
import { firstDashboard, type Dashboard } from '../../../src/ui/dashboard/state.ts';
import { widthOf } from '../../../src/ui/width.ts';
import { dashboardOf, draw, pictureOf, press, question, snapshotOf, waitingOf } from './support.ts';

const gate = waitingOf('deploy', { kind: 'gate', gate: { kind: 'confirmed' } });

function outputOf(lines: readonly string[]): Dashboard {
  const session = 'brave-otter:implement' as SessionId;
  const { state } = press(dashboardOf(), 'enter');
  return nextDashboard(state, { kind: 'output', session, lines, end: null }).state;
}

test('what waits for a person is first, with its choices; then runs, the newest with its tasks', () => {
  const state = dashboardOf(snapshotOf([waitingOf('implement', { kind: 'block', block: question }), gate]));
  expect(draw(state)).toMatchInlineSnapshot(`
    " cis   2 wait for you · 1 running · this machine

    ›✋  brave-otter:implement  claude  1m05s
         May I run this?
           rm -rf build
         1  Yes
         2  Yes, and do not ask again  (preselected)
         3  No
     ◆   brave-otter:deploy  claude  may it start?

     ●   brave-otter  demo  1/3  running       1m05s
        ✓  plan                2.0s
        ✋ implement claude   1m03s  May I run this?  rm -rf build
        ·  test                      after implement

     1-3 answer  t text  Enter output  a attach  k kill  ? help  q quit"
  `);
});

test('before anything has run, it says what to do', () => {
  expect(draw(firstDashboard, 60, 12)).toMatchInlineSnapshot(`
    " cis   this machine

     Nothing has run yet.

     Start something in another terminal:

       cis dag run dag.toml




     ? help  q quit"
  `);
});

test('on 40 columns and 10 rows the question and its choices are seen', () => {
  expect(draw(dashboardOf(), 40, 10)).toMatchInlineSnapshot(`
    " cis   1 waits for you · 1 running
    ›✋  brave-otter:implement  1m05s
         May I run this?
           rm -rf build
         1  Yes
         2  Yes, and do not ask again
         3  No
     ●   brave-otter  1/3  running
        ✓  plan         2.0s
     1-3 answer  t text  ? help  q quit"
  `);
});

test('an output is shown with what the session asks below it', () => {
  expect(draw(outputOf(['$ make', 'building 日本語', '']), 60, 14)).toMatchInlineSnapshot(`
    " brave-otter:implement   live · 1 waits for you

    $ make
    building 日本語

     ✋  brave-otter:implement  claude  1m05s
         May I run this?
           rm -rf build
         1  Yes
         2  Yes, and do not ask again  (preselected)
         3  No


     1-3 answer  t text  Esc back  a attach  k kill  ? help"
  `);
});

test('a text is typed at the foot, a password as stars', () => {
  const password = waitingOf('implement', { kind: 'block', block: { ...question, kind: 'password', choices: [] } });
  const typed = press(dashboardOf(snapshotOf([password])), 't', 'a', 'b', 'c').state;
  expect(draw(typed, 60, 12).split('\n').at(-1)).toBe(' answer: ***_');
  const plain = press(dashboardOf(), 't', 'a', 'b').state;
  expect(draw(plain, 60, 12).split('\n').at(-1)).toBe(' answer: ab_');
});

test('a secret is masked in questions, choices and outputs', () => {
  const secret = 'hunter2-hunter2';
  const block = { ...question, question: `use ${secret}?`, command: `echo ${secret}`, choices: [{ label: secret }] };
  const state = dashboardOf(snapshotOf([waitingOf('implement', { kind: 'block', block })]));
  expect(draw(state)).not.toContain(secret);
  expect(draw(outputOf([secret]))).not.toContain(secret);
});

test('control codes of a question do not reach the terminal', () => {
  const block = { ...question, question: 'go\u001B[2J\u0007 on?', choices: [{ label: 'yes\u001B]0;x\u0007' }] };
  const state = dashboardOf(snapshotOf([waitingOf('implement', { kind: 'block', block })]));
  // oxlint-disable-next-line no-control-regex
  expect(draw(state)).not.toMatch(/[\u001B\u0007]/);
});

test('whatever the size and the keys, no line is wider and no picture taller than the terminal', () => {
  const key = fc.constantFrom(
    'up',
    'down',
    'tab',
    'enter',
    'escape',
    '?',
    't',
    'k',
    'x',
    '1',
    'y',
    'p',
    'pageup',
    'home',
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 20, max: 120 }),
      fc.integer({ min: 1, max: 40 }),
      fc.array(key),
      (columns, rows, keys) => {
        const { lines, items } = pictureOf(press(dashboardOf(), ...keys).state, columns, rows);
        expect(lines.length).toBeLessThanOrEqual(rows);
        expect(items.length).toBe(lines.length);
        for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(columns);
      },
    ),
  );
});
