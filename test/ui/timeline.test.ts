import { expect, test } from 'vitest';
import type { TaskId } from '../../src/domain/ids.ts';
import { openPicture } from '../../src/domain/picture.ts';
import { openLook } from '../../src/ui/style.ts';
import { renderTimeline } from '../../src/ui/timeline.ts';
import { completed, failed, logOf, settingsOf, starting, startOfTime, taskOf } from '../support/runs.ts';

test('the timeline shows when each task ran, all its attempts, and the path that took longest', () => {
  const fold = openPicture(
    settingsOf([
      taskOf('plan'),
      taskOf('build', ['plan']),
      taskOf('lint', ['plan']),
      taskOf('ship', ['build', 'lint']),
    ]),
  );
  const events = [
    starting('plan'),
    completed('plan'),
    starting('lint'),
    completed('lint'),
    starting('build', 2),
    completed('build', 2),
    starting('ship'),
    failed('ship'),
  ] as const;
  const times = [0, 10_000, 10_000, 15_000, 25_000, 50_000, 50_000, 60_000];
  for (const event of logOf(
    'brave-otter',
    events.map((event, index) => [times[index] ?? 0, event]),
  ))
    fold.apply(event);
  const span = (task: string, from: number, to: number) => ({
    task: task as TaskId,
    startedAt: startOfTime + from,
    endedAt: startOfTime + to,
  });
  const spans = [
    span('plan', 0, 10_000),
    span('build', 10_000, 20_000),
    span('lint', 10_000, 15_000),
    span('build', 25_000, 50_000),
    span('ship', 50_000, 60_000),
  ];
  const lines = renderTimeline(fold.picture, spans, {
    now: 0,
    columns: 70,
    look: openLook({ colour: false, unicode: true }),
  });
  expect(`\n${lines.map((line) => line.trimEnd()).join('\n')}\n`).toMatchInlineSnapshot(`
    "
    ✓  plan   ━━━━━━━━━                                               10s
    ✓  build          ━━━━━━━━━    ━━━━━━━━━━━━━━━━━━━━━━             35s
    ✓  lint           ─────                                          5.0s
    ✗  ship                                             ━━━━━━━━━     10s
               0                        30s                  1m00s

    critical path: plan → build → ship
    "
  `);
});
