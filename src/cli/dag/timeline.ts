import type { Command } from 'commander';
import { criticalPath } from '../../domain/critical-path.ts';
import { readAttempts } from '../../storage/read.ts';
import { readPicture } from '../../storage/read-picture.ts';
import { lookFor } from '../../ui/style.ts';
import { renderTimeline } from '../../ui/timeline.ts';
import { needDatabase, print, printJson } from '../context.ts';
import { namedRun } from '../pick.ts';

export function command(into: Command): Command {
  return into
    .argument('[run]', 'its id or the beginning of it; default: the run of `dag use`, else the newest')
    .option('--json', 'print JSON')
    .action(async (text: string | undefined, options: { json?: true }) => {
      const db = await needDatabase();
      const { run } = namedRun(db, text);
      const attempts = readAttempts(db, run);
      const picture = readPicture(db, run);
      if (picture === null) throw new Error(`run ${run} went away`);
      if (options.json) return printJson({ run, attempts, criticalPath: criticalPath(picture) });
      const look = lookFor(process.stdout, process.env);
      print(renderTimeline(picture, attempts, { now: Date.now(), columns: process.stdout.columns ?? 100, look }));
    });
}
