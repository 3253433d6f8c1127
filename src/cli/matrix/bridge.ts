import { hostname } from 'node:os';
import type { Command } from 'commander';
import type { RunId } from '../../domain/ids.ts';
import { askRun } from '../../executor/ask.ts';
import { readRunSettings } from '../../storage/read.ts';
import { home, openHomeRedactor, readConfig, untilInterrupted } from '../context.ts';
import { driveOptions } from '../dag/drive-options.ts';
import { openWriter } from './context.ts';

export function command(into: Command): Command {
  return into.addHelpText('after', '\nHybrid runs start it by themselves.').action(() => serve([]));
}

/** Serves the rooms of runs; with rooms to listen in, until it is interrupted. */
export async function serve(listenIn: readonly string[], onSynced: () => void = () => {}): Promise<void> {
  process.title = 'cis bridge';
  const { serveBridge } = await import('../../bridge/process.ts');
  const { config } = await readConfig();
  const db = openWriter();
  const say = (line: string): void => void process.stderr.write(`${new Date().toISOString()} ${line}\n`);
  await serveBridge({
    home: home(),
    db,
    node: config.node.name ?? hostname(),
    intervalMs: config.dagMatrix.broadcast_interval_ms,
    broadcastOutput: config.dagHybrid.broadcast_output,
    mentionOnEnd: config.dagHybrid.mention_on_end,
    dags: config.dags,
    listenIn,
    onSynced,
    stays: listenIn.length > 0,
    acceptFrom: config.dagHybrid.accept_answers_from,
    mask: await openHomeRedactor(config, db),
    signal: untilInterrupted(),
    say,
    ask: async (run: RunId, request, source) => {
      const settings = readRunSettings(db, run);
      if (settings === null) return { kind: 'refused', reason: `run ${run} was removed` };
      const what = `the room of ${run}`;
      return askRun(await driveOptions(home(), db, settings, config, what), request, source);
    },
  });
  db.close();
}
