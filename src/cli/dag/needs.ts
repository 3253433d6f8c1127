import { blockCommand } from '../../domain/words.ts';
import type { RunSettings } from '../../domain/run.ts';
import type { Db } from '../../storage/open.ts';
import { readTasks } from '../../storage/read.ts';

/** The lines that say what a run waits for, each with the command that answers it. */
export function describeNeeds({ run }: RunSettings, db: Db): string[] {
  const needs = readTasks(db, run).flatMap(({ task, state }) => {
    const id = `${run}:${task}`;
    switch (state.kind) {
      case 'undecided':
      case 'lost':
        return state.kind === 'undecided' && state.failure !== undefined
          ? [`  ${id} failed: cis dag retry|skip|confirm|reject ${id}`]
          : [`  ${id} was cut off in the middle: cis dag retry|skip ${id}`];
      case 'gated':
        return state.gate.kind === 'arbitrated'
          ? [`  ${id} needs votes: cis dag vote ${id} yes|no`]
          : [`  ${id} needs a word: cis dag confirm|reject ${id}`];
      case 'blocked':
        return [`  ${id} asks: ${blockCommand(state.block, run, task)}`];
      default:
        return [];
    }
  });
  return [`cis: run ${run} needs a person`, ...needs, `  then: cis dag execute --run-id ${run}`];
}
