// Clock times are local: the zone is the test's own.
process.env['TZ'] = 'UTC';

import { expect, test } from 'vitest';
import type { TaskId } from '../../src/domain/ids.ts';
import { openPicture } from '../../src/domain/picture.ts';
import { buildReport } from '../../src/domain/report.ts';
import { renderPlain } from '../../src/ui/plain.ts';
import { renderReport, tailOf } from '../../src/ui/report.ts';
import { openLook } from '../../src/ui/style.ts';
import { toJson } from '../../src/ui/to-json.ts';
import { approval, blocked, completed, failed, logOf, settingsOf, starting, taskOf } from '../support/runs.ts';

const look = openLook({ colour: false, unicode: true });
const log = logOf('brave-otter', [
  [0, { kind: 'run-started' }],
  [0, starting('build')],
  [1_500, blocked('build', approval('Overwrite?'))],
  [62_000, failed('build')],
  [
    62_000,
    {
      kind: 'task-skipped',
      task: 'ship' as TaskId,
      reason: { kind: 'dependency', task: 'build' as TaskId, state: 'failed' },
    },
  ],
  [10, starting('lint', 2)],
  [420, completed('lint', 2)],
  [62_100, { kind: 'run-failed', reason: 'build failed' }],
]);
const fold = openPicture(settingsOf([taskOf('build'), taskOf('lint'), taskOf('ship', ['build'])]));
for (const event of log) fold.apply(event);

test('the report says how each task went, and of what failed the end of its screen and where to look', () => {
  const tails = new Map([['build' as TaskId, tailOf('one\ntwo\u001B[31m\nerror: token hunter2hunter2\n\n  \n', 2)]]);
  const mask = (text: string) => text.replaceAll('hunter2hunter2', '[T redacted]');
  const lines = renderReport(buildReport(fold.picture), { look, columns: 80, tails, mask, withTasks: true });
  expect(`\n${lines.join('\n')}\n`).toMatchInlineSnapshot(`
    "

    ✗  build  failed, 1m02s, exit code 2
    ✓  lint   done, 0.4s, 2 attempts
    -  ship   skipped, build failed

    ✗ build failed: exit code 2
      │ two
      │ error: token [T redacted]
      cis dag logs brave-otter:build

    brave-otter failed: build failed · 1 done · 1 failed · 1 skipped · 1m02s
    "
  `);
});

test('on a pipe each event that matters is a line, and what waits for a person comes with its command', () => {
  expect(`\n${renderPlain(log, fold.picture, look, (text) => text).join('\n')}\n`).toMatchInlineSnapshot(`
    "
    03:04:05 ● brave-otter: started
    03:04:05 ● build: starts
    03:04:06 ✋ build: waits for you: Overwrite?
               cis dag unblock brave-otter:build --choose N   1 Yes  2 Yes, and do not ask again  [3 No]
    03:05:07 ✗ build: failed: exit code 2 (1m02s)
               cis dag logs brave-otter:build
    03:05:07 - ship: skipped: build failed
    03:04:05 ● lint: starts again, attempt 2
    03:04:05 ✓ lint: done (0.4s)
    03:05:07 ✗ brave-otter: failed: build failed
    "
  `);
});

test('as JSON every text of an event is masked', () => {
  const [event] = logOf('r', [[0, { kind: 'run-failed', reason: 'with "hunter2hunter2"' }]]);
  if (event === undefined) throw new Error('no event');
  expect(JSON.parse(toJson(event, (text) => text.replaceAll('hunter2hunter2', '***')))).toMatchObject({
    event: { reason: 'with "***"' },
  });
});
