import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { steps, upgradeSchema } from '../../src/storage/schema.ts';
import { findQuestions, isQuestionWaiting, listOpenQuestions } from '../../src/storage/bridge.ts';
import type { RunId } from '../../src/domain/ids.ts';

test('questions that a room was asked before messages could ask several stay open, each as the only one of its message', () => {
  const db = new Database(':memory:');
  const before = steps.findIndex((step) => step.includes('bridge_asked'));
  for (const step of steps.slice(0, before)) db.exec(step);
  db.pragma(`user_version = ${before}`);
  db.exec(`INSERT INTO runs (id, dag_name, settings, state, state_json, mode, tasks, created_at)
    VALUES ('r', 'd', '{}', 'running', '{}', 'hybrid', 1, 0);
    INSERT INTO bridge_questions (outbox_row, run_id, asked, body) VALUES (7, 'r', 'r:a!1', '{"question":"May I?"}');
    INSERT INTO bridge_questions (outbox_row, run_id, asked, body, outcome) VALUES (9, 'r', 'r:b!1', '{}', 'ada: Yes')`);
  upgradeSchema(db);
  expect(listOpenQuestions(db, 'r' as RunId)).toEqual([
    { row: 7, position: 0, run: 'r', asked: 'r:a!1', body: { question: 'May I?' }, outcome: null },
  ]);
  expect(findQuestions(db, 9)).toMatchObject([{ asked: 'r:b!1', outcome: 'ada: Yes' }]);
  expect(isQuestionWaiting(db, 'r' as RunId)).toBe(false);
  db.close();
});
