import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';
import type { Config, ListedDag } from '../config/config.ts';
import { err, ok, type Result } from '../domain/result.ts';

export type ListedDags = Config['dags'];

export interface StartDag {
  readonly name: string;
  readonly dag: ListedDag;
  readonly room: string;
  /** Of the message that asked for it: it makes the run's id, so that asking once never starts two. */
  readonly eventId: string;
}

/** A run that was started before a kill -9 is found again by its id. */
const takenWords = 'already';

/** Starts a listed DAG in the room that asked for it, as `cis dag run --detach` does, and returns the run's id. */
export async function startDag({ name, dag, room, eventId }: StartDag): Promise<Result<string, string>> {
  const run = `${name}-${createHash('sha256').update(eventId).digest('hex').slice(0, 6)}`;
  const args = ['dag', 'run', dag.file, '--hybrid', '--room', room, '--run-id', run, '--detach'];
  const child = spawn(process.execPath, [process.argv[1] ?? '', ...args], {
    cwd: dag.directory,
    env: process.env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise<number | string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code) => resolve(code ?? 1));
  });
  const [said, end] = await Promise.all([text(child.stderr), ended]);
  if (end === 0 || (said.includes(`"${run}"`) && said.includes(takenWords))) return ok(run);
  return err(typeof end === 'string' ? end : firstLines(said));
}

function firstLines(said: string): string {
  const lines = said.trim().split('\n').slice(0, 3).join(' ');
  return lines === '' ? 'no reason was given' : lines;
}
