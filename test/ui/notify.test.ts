import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Block } from '../../src/domain/block.ts';
import type { BlockId, RunId, TaskId } from '../../src/domain/ids.ts';
import { desktopArgv, openNotifier, type NotifyOptions } from '../../src/ui/notify.ts';
import { approval, blocked, completed, logOf } from '../support/runs.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function open(more: Partial<NotifyOptions> = {}) {
  const written: string[] = [];
  const started: (readonly string[])[] = [];
  const notifier = openNotifier({
    run: 'brave-otter' as RunId,
    terminal: (text) => void written.push(text),
    bell: true,
    osc9: false,
    desktop: false,
    command: [],
    graceMs: 5_000,
    cooldownMs: 10_000,
    mask: (text) => text.replaceAll('hunter2', '•••'),
    start: (argv) => void started.push(argv),
    ...more,
  });
  const see = (...events: Parameters<typeof logOf>[1][number][1][]): void =>
    notifier.see(
      logOf(
        'brave-otter',
        events.map((event) => [0, event]),
      ),
    );
  return { written, started, see, notifier };
}

const asks = (task: string, question = 'Go on?', more: Partial<Block> = {}) =>
  blocked(task, { ...approval(question), id: `brave-otter:${task}!1` as BlockId, ...more });

test('nobody is told of what was answered within the grace', () => {
  const { written, see } = open();
  see(asks('a'));
  vi.advanceTimersByTime(4_900);
  see({ kind: 'task-unblocked', task: 'a' as TaskId, attempt: 1, block: 'brave-otter:a!1' as BlockId });
  see(asks('b'), completed('b'));
  vi.advanceTimersByTime(60_000);
  expect(written).toEqual([]);
});

test('the bell rings once after the grace, and at once for what a hook reports', () => {
  const { written, see } = open();
  see(asks('a'));
  see(asks('a'));
  vi.advanceTimersByTime(5_100);
  expect(written).toEqual(['\u0007']);
  const hooked = open();
  hooked.see(asks('a', 'Allow Bash?', { rule: 'hook-approval' }));
  vi.advanceTimersByTime(10);
  expect(hooked.written).toEqual(['\u0007']);
});

test('what is asked within the cooldown is told together', () => {
  const { started, see } = open({ bell: false, desktop: true, graceMs: 0 });
  see(asks('a', 'One?'));
  vi.advanceTimersByTime(10);
  see(asks('b', 'Two?'), asks('c', 'Three?'));
  vi.advanceTimersByTime(9_000);
  expect(started).toHaveLength(1);
  vi.advanceTimersByTime(2_000);
  expect(started.map((argv) => argv.at(-1))).toEqual([
    'brave-otter:a asks: One?',
    '2 sessions of brave-otter wait for you',
  ]);
});

test('what a program asks cannot control the terminal, nor show a secret', () => {
  const { written, see } = open({ bell: false, osc9: true, graceMs: 0 });
  see(asks('a', 'Use hunter2?\u0007\u001b]0;owned'));
  vi.advanceTimersByTime(10);
  expect(written).toEqual(['\u001b]9;brave-otter:a asks: Use •••? ]0;owned\u0007']);
});

test('the user’s program gets one argument a placeholder, whatever is in it', () => {
  const { started, see } = open({
    bell: false,
    graceMs: 0,
    command: ['say', '{{ session }}', '{{question}} {{ nothing }}'],
  });
  see(asks('a', 'A "b" $(c)?'));
  vi.advanceTimersByTime(10);
  expect(started).toEqual([['say', 'brave-otter:a', 'A "b" $(c)? {{ nothing }}']]);
});

test('on a Mac the text is an argument of the script, not a part of it', () => {
  expect(desktopArgv('say "x"', 'darwin').at(-1)).toBe('say "x"');
  expect(desktopArgv('--help', 'linux')).toEqual(['notify-send', '--app-name=cis', '--', 'cis', '--help']);
});
