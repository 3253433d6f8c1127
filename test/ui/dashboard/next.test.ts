import { expect, test } from 'vitest';
import { nextDashboard } from '../../../src/ui/dashboard/next.ts';
import { currentItem } from '../../../src/ui/dashboard/items.ts';
import type { Block } from '../../../src/domain/block.ts';
import { dashboardOf, later, press, question, snapshotOf, waitingOf } from './support.ts';

const asks = (block: Block) => waitingOf('implement', { kind: 'block', block });

test('a digit picks the choice of the question under the cursor', () => {
  const { commands } = press(dashboardOf(), '2');
  expect(commands).toEqual([
    { kind: 'answer', block: question.id, fingerprint: 'f', answer: { kind: 'choose', index: 1 } },
  ]);
});

test('y means the one choice that begins so, and nothing when several do', () => {
  const two = asks({ ...question, choices: [{ label: 'Yes' }, { label: 'No' }] });
  expect(press(dashboardOf(snapshotOf([two])), 'n').commands).toMatchObject([{ answer: { kind: 'choose', index: 1 } }]);
  const several = press(dashboardOf(), 'y');
  expect(several.commands).toEqual([]);
  expect(several.state.notice?.text).toContain('fits several');
});

test('a digit that no choice has is refused', () => {
  expect(press(dashboardOf(), '7')).toMatchObject({ commands: [], state: { notice: { tone: 'bad' } } });
});

test('a text is typed, corrected and sent with Enter', () => {
  const line = asks({ ...question, kind: 'question', choices: [] });
  const { commands, state } = press(dashboardOf(snapshotOf([line])), 't', 'q', 'x', 'backspace', 'a', 'enter');
  expect(commands).toMatchObject([{ kind: 'answer', answer: { kind: 'text', text: 'qa' } }]);
  expect(state.entry).toBeNull();
});

test('Escape leaves what is typed unsent', () => {
  expect(press(dashboardOf(), 't', 'a', 'escape')).toMatchObject({ commands: [], state: { entry: null } });
});

test('a question that takes the place of another one is not answered by a key meant for that', () => {
  const other = asks({ ...question, id: 'brave-otter:test!1' as Block['id'] });
  const both = dashboardOf(snapshotOf([asks(question), other]));
  const one = nextDashboard(both, { kind: 'snapshot', snapshot: snapshotOf([other]), now: later }).state;
  expect(press(one, '1')).toMatchObject({
    commands: [],
    state: { notice: { text: expect.stringContaining('again') } },
  });
  const soon = nextDashboard(one, { kind: 'key', key: '1', text: '1', now: later + 1_000 });
  expect(soon.commands).toMatchObject([{ kind: 'answer', block: other.key.slice(4) }]);
});

test('a text for a question that is gone is dropped', () => {
  const typing = press(dashboardOf(), 't', 'a').state;
  const gone = nextDashboard(typing, { kind: 'snapshot', snapshot: snapshotOf([]), now: later }).state;
  expect(gone).toMatchObject({ entry: null, notice: { text: 'that question is gone' } });
});

test('the cursor stays on its item when things come and go above it', () => {
  const onRun = press(dashboardOf(snapshotOf([])), 'down', 'down').state;
  const before = currentItem(onRun);
  const after = nextDashboard(onRun, { kind: 'snapshot', snapshot: snapshotOf(), now: later }).state;
  expect(currentItem(after)?.key).toBe(before?.key);
});

test('gates are confirmed, rejected and voted on, a lost task is run again or skipped', () => {
  const wishes = (ask: Parameters<typeof waitingOf>[1], key: string) =>
    press(dashboardOf(snapshotOf([waitingOf('deploy', ask)])), key).commands.map(
      (command) => 'request' in command && command.request,
    );
  const confirmed = { kind: 'gate', gate: { kind: 'confirmed' } } as const;
  const arbitrated = { kind: 'gate', gate: { kind: 'arbitrated', stakeholders: ['ann'], votes: {} } } as const;
  expect(wishes(confirmed, 'y')).toEqual([{ kind: 'confirm', task: 'deploy' }]);
  expect(wishes(confirmed, 'n')).toEqual([{ kind: 'reject', task: 'deploy' }]);
  expect(wishes(confirmed, '1')).toEqual([]);
  expect(wishes(arbitrated, 'n')).toEqual([{ kind: 'vote', task: 'deploy', vote: 'no' }]);
  const undecided = { kind: 'undecided', failure: null } as const;
  expect(wishes(undecided, 'y')).toEqual([{ kind: 'retry', task: 'deploy', withDependents: false }]);
  expect(wishes(undecided, 'n')).toEqual([{ kind: 'skip', task: 'deploy' }]);
});

test('a session is killed only after a yes', () => {
  expect(press(dashboardOf(), 'k').commands).toEqual([]);
  expect(press(dashboardOf(), 'k', 'x').commands).toEqual([]);
  expect(press(dashboardOf(), 'k', 'enter').commands).toEqual([]);
  expect(press(dashboardOf(), 'k', 'y').commands).toEqual([{ kind: 'kill', session: 'brave-otter:implement' }]);
});

test('a click unfolds a run and opens the output of a task', () => {
  const click = (item: string) => nextDashboard(dashboardOf(), { kind: 'click', item });
  expect(click('run calm-fox')).toMatchObject({
    state: { unfolded: { run: 'calm-fox' } },
    commands: [{ kind: 'read' }],
  });
  expect(click('task brave-otter:plan').commands).toEqual([{ kind: 'open-output', session: 'brave-otter:plan' }]);
});

test('p pauses the run under the cursor', () => {
  expect(press(dashboardOf(), 'p').commands).toEqual([
    { kind: 'wish', run: 'brave-otter', request: { kind: 'pause' } },
  ]);
});

test('who looks back in an output sees its history, and at its end the screen again', () => {
  const opened = press(dashboardOf(), 'enter', 'up');
  expect(opened.commands.at(-1)).toMatchObject({ kind: 'read-history' });
  const session = 'brave-otter:implement' as never;
  const read = nextDashboard(opened.state, { kind: 'history', session, lines: ['a', 'b', 'c'] }).state;
  expect(press(read, 'home').state.page).toMatchObject({ back: 2, history: ['a', 'b', 'c'] });
  expect(press(read, 'end').state.page).toMatchObject({ back: 0, history: null });
});
