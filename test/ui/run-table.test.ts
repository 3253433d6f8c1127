import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CisEvent } from '../../src/domain/event.ts';
import type { TaskId } from '../../src/domain/ids.ts';
import { openPicture, type RunPicture } from '../../src/domain/picture.ts';
import { renderRunTable, type TableSight } from '../../src/ui/run-table.ts';
import { openLook } from '../../src/ui/style.ts';
import { widthOf } from '../../src/ui/width.ts';
import {
  approval,
  blocked,
  completed,
  failed,
  logOf,
  running,
  settingsOf,
  starting,
  startOfTime,
  taskOf,
} from '../support/runs.ts';

const tasks = [
  taskOf('plan'),
  taskOf('implement', ['plan'], 'claude'),
  taskOf('test', ['plan']),
  taskOf('review', ['implement', 'test']),
  taskOf('ship', ['review']),
];

function pictureAfter(events: readonly (readonly [number, CisEvent])[], of = tasks): RunPicture {
  const fold = openPicture(settingsOf(of));
  for (const event of logOf('brave-otter', events)) fold.apply(event);
  return fold.picture;
}

function sight(more: Partial<TableSight> = {}): TableSight {
  const look = openLook({ colour: false, unicode: true });
  return {
    now: startOfTime + 65_000,
    columns: 80,
    rows: 24,
    look,
    lastLine: () => null,
    mask: (text) => text,
    ...more,
  };
}

const shown = (picture: RunPicture, more: Partial<TableSight> = {}) =>
  `\n${renderRunTable(picture, sight(more))
    .map((line) => line.trimEnd())
    .join('\n')}\n`;

const going: readonly (readonly [number, CisEvent])[] = [
  [0, { kind: 'run-started' }],
  [0, starting('plan')],
  [3_240, completed('plan')],
  [3_300, starting('implement')],
  [3_300, starting('test')],
  [3_400, running('test')],
  [9_000, blocked('implement', approval('Run this command?', 'npm test'))],
];

describe('the table of a run', () => {
  test('has a line per task, and the command for what waits for a person', () => {
    expect(shown(pictureAfter(going), { lastLine: () => 'PASS \u001B[32mtest/a.test.ts\u001B[0m\r' }))
      .toMatchInlineSnapshot(`
      "
       demo  brave-otter

       ✓  plan                3.2s
       ✋ implement claude   1m01s  Run this command?  npm test
          cis dag unblock brave-otter:implement --choose N   1 Yes  2 Yes, and do not…
       ●  test               1m01s  PASS test/a.test.ts
       ·  review                    after implement, test
       ·  ship                      after review

       ━━━━━━────────────────────────  1/5 · 1m05s · 1 waits for you · 1 running
      "
    `);
  });

  test('of a few columns leaves out what is least needed', () => {
    expect(shown(pictureAfter(going), { columns: 40 })).toMatchInlineSnapshot(`
      "
       demo  brave-otter

       ✓  plan         3.2s
       ✋ implement   1m01s  Run this command…
          cis dag unblock brave-otter:impleme…
       ●  test        1m01s
       ·  review             after implement,…
       ·  ship               after review

       1/5 · 1m05s · 1 waits for you
      "
    `);
  });

  test('shows gates, retries, skips, debts and what was lost', () => {
    const task = (id: string) => id as TaskId;
    const picture = pictureAfter([
      [0, { kind: 'run-started' }],
      [
        0,
        {
          kind: 'task-gated',
          task: task('plan'),
          gate: { kind: 'recommended', until: startOfTime + 70_000, defaultAction: 'execute' },
        },
      ],
      [0, starting('implement')],
      [
        500,
        {
          kind: 'task-waiting-retry',
          task: task('implement'),
          attempt: 1,
          retryAt: startOfTime + 66_000,
          failure: { kind: 'timeout', afterMs: 500 },
        },
      ],
      [0, starting('test')],
      [61_000, failed('test', 1, true)],
      [
        0,
        {
          kind: 'task-skipped',
          task: task('review'),
          reason: { kind: 'dependency', task: task('test'), state: 'failed' },
        },
      ],
      [0, starting('ship')],
      [0, { kind: 'task-undecided', task: task('ship'), attempt: 1 }],
    ]);
    expect(shown(picture)).toMatchInlineSnapshot(`
      "
       demo  brave-otter

       ◆  plan                      starts in 5s unless you say otherwise
          cis dag confirm|reject brave-otter:plan
       ↻  implement claude    0.5s  took longer than 0.5s; again in 1s
       ✗  test               1m01s  exit code 1, accepted
       -  review                    test failed
       ?  ship               1m05s  its session was lost: run it again?
          cis dag retry|skip brave-otter:ship

       ━━━━━━━━━━━━──────────────────  2/5 · 1m05s · 2 wait for you
      "
    `);
  });

  test('of a thousand tasks shows what waits, runs and failed, and counts the rest', () => {
    const many = Array.from({ length: 1_000 }, (_, index) => taskOf(`t${index}`));
    const events: (readonly [number, CisEvent])[] = [[0, { kind: 'run-started' }]];
    for (let index = 0; index < 500; index++)
      events.push([index, starting(`t${index}`)], [index + 900, completed(`t${index}`)]);
    events.push(
      [1_000, starting('t500')],
      [1_000, running('t500')],
      [1_000, starting('t501')],
      [2_000, failed('t501')],
    );
    events.push([1_000, starting('t700')], [1_500, blocked('t700', approval('Go on?'))]);
    expect(shown(pictureAfter(events, many), { rows: 12 })).toMatchInlineSnapshot(`
      "
       demo  brave-otter

       ✋ t700   1m04s  Go on?
          cis dag unblock brave-otter:t700 --choose N   1 Yes  2 Yes, and do not ask …
       ●  t500   1m04s
       ✗  t501    1.0s  exit code 2
       ·  t502
       ·  t503
       ·  t504
          and 494 to come, 500 done

       ━━━━━━━━━━━━━━━───────────────  501/1000 · 1m05s · 1 waits for you · 1 running
      "
    `);
  });

  test('masks secrets in what programs said', () => {
    const text = shown(pictureAfter(going), {
      lastLine: () => 'key hunter2hunter2',
      mask: (text) => text.replaceAll('hunter2hunter2', '[K redacted]'),
    });
    expect(text).toContain('key [K redacted]');
    expect(text).not.toContain('hunter2');
  });

  test('is never wider or taller than the screen, whatever programs say', () => {
    const text = fc.string({
      unit: fc.oneof(
        fc.constantFrom('運', '한', '👩‍💻', 'e\u0301', '\u001B[31m', '\t', '\u202E', '\u0007'),
        fc.string({ unit: 'grapheme' }),
      ),
    });
    fc.assert(
      fc.property(
        text,
        text,
        fc.integer({ min: 10, max: 120 }),
        fc.integer({ min: 3, max: 30 }),
        (last, question, columns, rows) => {
          const picture = pictureAfter([
            ...going.slice(0, -1),
            [9_000, blocked('implement', approval(question, last))],
          ]);
          const lines = renderRunTable(picture, sight({ columns, rows, lastLine: () => last }));
          expect(lines.length).toBeLessThanOrEqual(rows);
          for (const line of lines) {
            expect(widthOf(line)).toBeLessThanOrEqual(columns);
            // eslint-disable-next-line no-control-regex
            expect(line).not.toMatch(/[\u0000-\u001F\u202E]/);
          }
        },
      ),
    );
  });
});
