import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import type { RunId, SessionId, TaskId } from '../../src/domain/ids.ts';
import { addEvent, fillRun, openFilled } from '../support/filled.ts';
import { completed, failed, settingsOf, starting, startOfTime, taskOf } from '../support/runs.ts';
import { openWorld, type World } from '../support/world.ts';

const settings = settingsOf([taskOf('build'), taskOf('test', ['build']), taskOf('ship', ['test'])]);
const failure = { kind: 'session', end: { kind: 'exited', code: 2 } } as const;

function fill(world: World) {
  const db = openFilled(world.home);
  fillRun(db, {
    settings,
    state: { kind: 'failed', endedAt: startOfTime + 9_000, reason: 'test failed' },
    endedAt: startOfTime + 9_000,
    tasks: {
      build: { kind: 'completed', attempt: 1, startedAt: startOfTime, endedAt: startOfTime + 4_000 },
      test: { kind: 'failed', attempt: 1, endedAt: startOfTime + 9_000, failure, debt: false },
      ship: { kind: 'skipped', reason: { kind: 'dependency', task: 'test' as TaskId, state: 'failed' } },
    },
    attempts: [
      { task: 'build', attempt: 1, from: 0, to: 4_000 },
      { task: 'test', attempt: 1, from: 4_000, to: 9_000 },
    ],
    events: [
      { kind: 'run-started' },
      starting('build'),
      completed('build'),
      starting('test'),
      failed('test'),
      { kind: 'run-failed', reason: 'test failed' },
    ],
  });
  db.prepare("INSERT INTO outputs VALUES ('brave-otter', 'test', 1, ?, 10, NULL, 'screen')").run(
    'checking\nassertion failed: hunter2hunter2\n\n',
  );
  return db;
}

describe('a run that was', () => {
  test('stands in the list, by its state, and as JSON', async () => {
    await using world = openWorld();
    fill(world).close();
    expect((await world.cis(['dag', 'list'])).stdout.replace(/\d+h\d+m ago/, 'LONG ago')).toMatchInlineSnapshot(`
      "RUN          DAG   STATE   TASKS  TIME  STARTED
      brave-otter  demo  failed  3/3    9.0s  LONG ago
      "
    `);
    const { runs } = JSON.parse((await world.cis(['dag', 'list', '--json'])).stdout) as { runs: unknown[] };
    expect(runs).toEqual([
      expect.objectContaining({
        run: 'brave-otter',
        state: expect.objectContaining({ kind: 'failed' }),
        counts: { completed: 1, failed: 1, skipped: 1 },
      }),
    ]);
  });

  test('is shown by any unambiguous beginning of its id, with the end of what failed', async () => {
    await using world = openWorld();
    fill(world).close();
    expect((await world.cis(['dag', 'status', 'brav', '-v'])).stdout).toMatchInlineSnapshot(`
      " demo  brave-otter · failed: test failed

       ✓  build    4.0s
       ✗  test     5.0s  exit code 2
       -  ship           test failed

       ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━  3/3 · 9.0s · 1 failed · 1 skipped

      ✓  build  done, 4.0s
      ✗  test   failed, 5.0s, exit code 2
      -  ship   skipped, test failed

      ✗ test failed: exit code 2
        │ checking
        │ assertion failed: hunter2hunter2
        cis dag logs brave-otter:test

      brave-otter failed: test failed · 1 done · 1 failed · 1 skipped · 9.0s
      "
    `);
    expect(await world.cis(['dag', 'status', 'calm'])).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('there is no run "calm"'),
    });
  });

  test('hides in status what the environment says is secret', async () => {
    await using world = openWorld();
    fill(world).close();
    const { stdout } = await world.cis(['dag', 'status', '-v'], { env: { API_TOKEN: 'hunter2hunter2' } });
    expect(stdout).toContain('assertion failed: [API_TOKEN redacted]');
  });

  test('has a beginning of an id refused that several runs share', async () => {
    await using world = openWorld();
    const db = fill(world);
    fillRun(db, {
      settings: { ...settings, run: 'brave-owl' as RunId },
      state: { kind: 'running' },
      endedAt: null,
      tasks: {},
      attempts: [],
    });
    db.close();
    expect(await world.cis(['dag', 'status', 'brave-o'])).toMatchObject({
      code: 6,
      stdout: '',
      stderr: 'cis: "brave-o" fits 2 runs: give more of it\n  brave-otter\n  brave-owl\n',
    });
  });

  test('tells its events, of one category if wanted', async () => {
    await using world = openWorld();
    fill(world).close();
    expect((await world.cis(['dag', 'events', 'brave-otter'])).stdout).toMatchInlineSnapshot(`
      "03:04:05 ● brave-otter: started
      03:04:05 ● build: starts
      03:04:05 ✓ build: done
      03:04:05 ● test: starts
      03:04:05 ✗ test: failed: exit code 2
      03:04:05 ✗ brave-otter: failed: test failed
      "
    `);
    const lines = (await world.cis(['dag', 'events', '--category', 'run', '--json'])).stdout.trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { event: { kind: string } }).event.kind)).toEqual([
      'run-started',
      'run-failed',
    ]);
  });

  test('has a timeline', async () => {
    await using world = openWorld();
    fill(world).close();
    expect((await world.cis(['dag', 'timeline'])).stdout).toContain('critical path: build → test');
    expect(JSON.parse((await world.cis(['dag', 'timeline', '--json'])).stdout)).toMatchObject({
      criticalPath: ['build', 'test'],
    });
  });
});

describe('a run that goes on', () => {
  const going = {
    settings,
    state: { kind: 'running' },
    endedAt: null,
    tasks: {},
    attempts: [],
    events: [{ kind: 'run-started' }],
  } as const;

  test('is followed event by event, and the following ends with the run', async () => {
    await using world = openWorld();
    const db = openFilled(world.home);
    fillRun(db, going);
    const child = spawn('bin/cis', ['dag', 'events', 'brave', '-f', '--json'], { env: world.env });
    const kinds: string[] = [];
    const next = [starting('build'), completed('build'), { kind: 'run-completed', debts: 0 } as const];
    for await (const line of createInterface({ input: child.stdout })) {
      kinds.push((JSON.parse(line) as { event: { kind: string } }).event.kind);
      const event = next.shift();
      if (event !== undefined) addEvent(db, 'brave-otter', event);
    }
    expect(kinds).toEqual(['run-started', 'task-starting', 'task-completed', 'run-completed']);
    db.close();
  });

  test('is watched change by change', async () => {
    await using world = openWorld();
    const db = openFilled(world.home);
    fillRun(db, going);
    const child = spawn('bin/cis', ['dag', 'status', '--watch', '--json'], { env: world.env });
    const seen: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      const status = JSON.parse(line) as { state: string; tasks: { state: string }[] };
      seen.push(`${status.state} ${status.tasks[0]?.state}`);
      if (seen.length === 1) {
        const running = {
          kind: 'running',
          attempt: 1,
          session: 'brave-otter:build' as SessionId,
          startedAt: 0,
          pid: 1,
        };
        db.prepare("UPDATE tasks SET state = 'running', state_json = ? WHERE task_id = 'build'").run(
          JSON.stringify(running),
        );
      } else
        db.prepare("UPDATE runs SET state = 'aborted', state_json = ?, ended_at = 5").run(
          JSON.stringify({ kind: 'aborted', endedAt: 5, reason: 'by you' }),
        );
    }
    expect(seen).toEqual(['running pending', 'running running', 'aborted running']);
    db.close();
  });
});
