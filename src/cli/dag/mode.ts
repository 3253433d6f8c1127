import { Argument, type Command } from 'commander';
import type { RunMode } from '../../domain/run.ts';
import { findRuns, readRunSettings } from '../../storage/read.ts';
import type { RunId } from '../../domain/ids.ts';
import type { Db } from '../../storage/open.ts';
import { home, readConfig } from '../context.ts';
import { CommandError } from '../exit.ts';
import { needSameMachinery } from './run-choice.ts';
import { openRun, wish, type WishOptions } from './wish.ts';

export function command(into: Command): Command {
  return into
    .argument('<run>', 'its id or the beginning of it')
    .addArgument(new Argument('<mode>', 'from the next task on').choices(['local', 'hybrid', 'matrix']))
    .option('--room <room>', 'the room of hybrid and matrix mode')
    .option('--json', 'print JSON')
    .action(async (text: string, wanted: RunMode, options: WishOptions & { readonly room?: string }) => {
      const { db, run } = await openRun(text);
      needSameMachinery(findRuns(db, run)[0]?.mode ?? 'local', wanted);
      const room = wanted === 'local' ? null : await findRoom(db, run, options.room);
      await wish(db, run, { kind: 'mode', mode: wanted, room }, options.json === true);
      if (wanted !== 'local') (await import('../../bridge/start.ts')).startBridge(home());
    });
}

/** The room that was named, else the one the run had, else that of its file, else that of the config. */
async function findRoom(db: Db, run: RunId, given: string | undefined): Promise<string> {
  const loaded = await readConfig();
  const settings = readRunSettings(db, run);
  const [row] = findRuns(db, run);
  if (settings === null || row === undefined) throw new CommandError('not-found', `no run "${run}"`);
  const room = given ?? row.room ?? settings.room ?? settings.dag.matrix.room ?? loaded.config.dag.room_id;
  return (await import('./hybrid.ts')).checkRoom(room, settings.matrix, loaded);
}
