// The least Node program that runs a DAG with a PTY per task (node-pty), keeps what each task prints in a file of its own and
// commits the state to SQLite. It has no features: no host, no screen, no retries, no way to look in. The bench measures cis
// against it, in the same run, because it shows what Node, node-pty and SQLite cost by themselves on this machine.
//
// Its durability is that of cis. synchronous=FULL: a task's result is on the disk (one fdatasync of the WAL) before a task that
// depends on it starts, and that a task starts is on the disk before it does; a power cut repeats nothing that was recorded.
// All that happens in one turn of the event loop is one commit, so a chain pays one commit a task, a wide DAG fewer.
// Like cis, it leaves the page cache to write back the recordings.
//
// It is plain JavaScript, because stripping types at start-up would make it slower than it must be.
//
// node bench/floor.mjs DAG.json DIR      DAG.json: {jobs, tasks: [{id, deps: [id], command}]}      DIR: made, must be new
import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const Database = require('better-sqlite3');
const { spawn } = require('node-pty');

const [, , dagPath, dir] = process.argv;
if (dagPath === undefined || dir === undefined) {
  console.error('usage: node bench/floor.mjs DAG.json DIR');
  process.exit(2);
}
const dag = JSON.parse(readFileSync(dagPath, 'utf8'));
mkdirSync(dir, { recursive: true, mode: 0o700 });

const db = openDatabase(`${dir}/floor.db`);
const markStarted = db.prepare("UPDATE tasks SET state = 'running', started_at = ? WHERE id = ?");
const markEnded = db.prepare('UPDATE tasks SET state = ?, code = ?, ended_at = ? WHERE id = ?');
const begin = db.prepare('BEGIN IMMEDIATE');
const commit = db.prepare('COMMIT');

const { waiting, dependents } = countDependencies(dag.tasks);
const ready = dag.tasks.filter((task) => task.deps.length === 0);
let nextReady = 0;
let running = 0;
let unfinished = dag.tasks.length;
let failed = 0;
let ended = [];

insertTasks();
turn();

/** One turn: the ends that came in and the starts they allow are one commit; only then do the new tasks start. */
function turn() {
  const starting = [];
  begin.run();
  const now = Date.now();
  for (const { task, code } of ended) finish(task, code, now);
  ended = [];
  while (running < dag.jobs && nextReady < ready.length) {
    const task = ready[nextReady++];
    running += 1;
    starting.push(task);
    markStarted.run(now, task.id);
  }
  commit.run();
  for (const task of starting) start(task);
  if (running === 0) close();
}

function finish(task, code, now) {
  running -= 1;
  unfinished -= 1;
  if (code !== 0) failed += 1;
  markEnded.run(code === 0 ? 'completed' : 'failed', code, now, task.id);
  if (code !== 0) return;
  for (const dependent of dependents.get(task.id)) {
    const left = waiting.get(dependent.id) - 1;
    waiting.set(dependent.id, left);
    if (left === 0) ready.push(dependent);
  }
}

function start(task) {
  const pty = spawn('/bin/sh', ['-c', task.command], { cols: 80, rows: 24, encoding: null, env: process.env });
  const recording = openSync(`${dir}/${task.id}.out`, 'a', 0o600);
  pty.onData((bytes) => writeSync(recording, bytes));
  pty.onExit(({ exitCode, signal }) => {
    closeSync(recording);
    if (ended.length === 0) setImmediate(turn);
    ended.push({ task, code: signal ? 128 + signal : exitCode });
  });
}

function insertTasks() {
  const insert = db.prepare("INSERT INTO tasks (id, state) VALUES (?, 'pending')");
  db.transaction(() => {
    for (const task of dag.tasks) insert.run(task.id);
  })();
}

function close() {
  db.close();
  if (failed > 0 || unfinished > 0) console.error(`floor: ${failed} tasks failed, ${unfinished} did not run`);
  process.exit(failed > 0 || unfinished > 0 ? 1 : 0);
}

function openDatabase(path) {
  const opened = new Database(path);
  opened.pragma('journal_mode = WAL');
  opened.pragma('synchronous = FULL');
  opened.exec(
    'CREATE TABLE tasks (id TEXT PRIMARY KEY, state TEXT NOT NULL, code INTEGER, started_at INTEGER, ended_at INTEGER) STRICT, WITHOUT ROWID',
  );
  return opened;
}

function countDependencies(tasks) {
  const dependents = new Map(tasks.map((task) => [task.id, []]));
  const waiting = new Map(tasks.map((task) => [task.id, task.deps.length]));
  for (const task of tasks) {
    for (const id of task.deps) dependents.get(id).push(task);
  }
  return { waiting, dependents };
}
