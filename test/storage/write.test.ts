import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunId, TaskId } from '../../src/domain/ids.ts';
import { createRun, removeRun } from '../../src/storage/create.ts';
import { releaseLease, takeLease } from '../../src/storage/lease.ts';
import { openStorage, type Db } from '../../src/storage/open.ts';
import { findRuns, readEvents, readJournalCursor, readOutput, readTasks } from '../../src/storage/read.ts';
import { insertRequest, readOpenRequests, readOutcome } from '../../src/storage/request.ts';
import { emptyBatch, openRunWriter } from '../../src/storage/write.ts';
import { settingsOf, taskOf } from '../support/runs.ts';

const run = 'brave-otter' as RunId;
const a = 'a' as TaskId;
const me = { pid: 1, pidStart: '1', bootId: 'b', what: 'me' };
let dir: string;
let db: Db;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cis-storage-'));
  const opened = openStorage(join(dir, 'cis.db'));
  if (!opened.ok) throw new Error(opened.error.kind);
  db = opened.value;
  expect(createRun(db, settingsOf([taskOf('a'), taskOf('b', ['a'])])).ok).toBe(true);
});

afterEach(() => {
  db.close();
  rmSync(dir, { recursive: true });
});

test('a run id is taken once', () => {
  expect(createRun(db, settingsOf([taskOf('a')]))).toEqual({ ok: false, error: 'taken' });
  expect(readTasks(db, run)).toHaveLength(2);
});

test('a lease is held by one, and each driver has an epoch of its own', () => {
  expect(takeLease(db, run, me, () => true)).toEqual({ ok: true, value: 1 });
  expect(takeLease(db, run, me, () => true)).toMatchObject({ ok: false, error: { pid: 1, epoch: 1 } });
  expect(takeLease(db, run, me, () => false)).toEqual({ ok: true, value: 2 });
  releaseLease(db, run, 1);
  expect(takeLease(db, run, me, () => true).ok).toBe(false);
  releaseLease(db, run, 2);
  expect(takeLease(db, run, me, () => true)).toEqual({ ok: true, value: 3 });
});

test('events, states, outputs, the cursor and outcomes are written together', () => {
  const id = insertRequest(db, run, { kind: 'pause' }, { by: 'ann', via: 'terminal' }, 1);
  expect(readOpenRequests(db, run)).toMatchObject([{ id, by: 'ann' }]);
  takeLease(db, run, me, () => false);
  const batch = emptyBatch();
  batch.events.push({ at: 5, event: { kind: 'task-ready', task: a, why: 'dependencies' } });
  batch.tasks.push({ task: a, state: { kind: 'ready' } });
  batch.outputs.push({ task: a, attempt: 1, text: 'é', bytes: 2, cutFrom: null, source: 'file' });
  batch.outcomes.push({ id, at: 6, outcome: { kind: 'done', said: 'yes' } });
  batch.journalSeq = 7;
  const written = openRunWriter(db, run, 1).write(batch, true);
  expect(written).toMatchObject({ ok: true, value: [{ run, at: 5, event: { kind: 'task-ready' } }] });
  expect(readTasks(db, run)[0]?.state).toEqual({ kind: 'ready' });
  expect(readOutput(db, run, a, null)).toMatchObject({ text: 'é', attempt: 1 });
  expect(readJournalCursor(db, run)).toBe(7);
  expect(readOutcome(db, id)).toEqual({ kind: 'done', said: 'yes' });
  expect(readOpenRequests(db, run)).toEqual([]);
});

test('a driver whose lease was taken over writes nothing', () => {
  takeLease(db, run, me, () => false);
  const old = openRunWriter(db, run, 1);
  takeLease(db, run, me, () => false);
  const before = readEvents(db, run, 0).length;
  const batch = emptyBatch();
  batch.events.push({ at: 5, event: { kind: 'run-started' } });
  batch.run = { kind: 'running' };
  expect(old.write(batch, false)).toEqual({ ok: false, error: { kind: 'superseded' } });
  expect(readEvents(db, run, 0)).toHaveLength(before);
  expect(findRuns(db, run)[0]?.state).toEqual({ kind: 'created' });
});

test('a full disk is an answer, and leaves the database as it was', () => {
  takeLease(db, run, me, () => false);
  const writer = openRunWriter(db, run, 1);
  db.pragma(`max_page_count = ${String(db.pragma('page_count', { simple: true }))}`);
  const batch = emptyBatch();
  batch.tasks.push({ task: a, state: { kind: 'ready' } });
  batch.outputs.push({
    task: a,
    attempt: 1,
    text: 'x'.repeat(1_000_000),
    bytes: 1_000_000,
    cutFrom: null,
    source: 'file',
  });
  expect(writer.write(batch, true)).toMatchObject({ ok: false, error: { kind: 'cannot-write' } });
  expect(readTasks(db, run)[0]?.state).toEqual({ kind: 'pending' });
  db.pragma('max_page_count = 1000000');
  expect(writer.write(batch, true).ok).toBe(true);
});

test('a removed run leaves nothing behind', () => {
  removeRun(db, run);
  expect(findRuns(db, run)).toEqual([]);
  for (const table of ['events', 'tasks', 'leases', 'journal_cursors']) {
    expect(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()).toEqual({ n: 0 });
  }
});
