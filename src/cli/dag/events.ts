import type { Command } from 'commander';
import { Option } from 'commander';
import { categoryOf, type Category, type LoggedEvent } from '../../domain/event.ts';
import { readAllEvents, readEvents, readRunSettings } from '../../storage/read.ts';
import type { Db } from '../../storage/open.ts';
import type { RunId } from '../../domain/ids.ts';
import { renderEvent } from '../../ui/plain.ts';
import { lookFor } from '../../ui/style.ts';
import { toJson } from '../../ui/to-json.ts';
import { home, needDatabase, openHomeRedactor, openScreenRedactor, readConfig, untilInterrupted } from '../context.ts';
import { namedRun } from '../pick.ts';

interface Options {
  readonly follow?: true;
  readonly category?: Category;
  readonly after: number;
  readonly json?: true;
}

const lastOfRun = new Set<string>(['run-completed', 'run-failed', 'run-aborted']);

export function command(into: Command): Command {
  return into
    .argument('[run]', 'its id or the beginning of it; default: all runs')
    .option('-f, --follow', 'go on as things happen; with a run until it ends')
    .addOption(new Option('--category <name>', 'only these').choices(['run', 'task', 'session', 'node']))
    .option('--after <number>', 'only events with a greater number, as --json shows it', Number, 0)
    .option('--json', 'one JSON value per line')
    .action(async (text: string | undefined, options: Options) => {
      const db = await needDatabase();
      const run = text === undefined ? null : namedRun(db, text).run;
      const { config } = await readConfig();
      const mask = await (run === null
        ? openHomeRedactor(config, db)
        : openScreenRedactor(config, readRunSettings(db, run)));
      const look = lookFor(process.stdout, process.env);
      const put = (events: readonly LoggedEvent[]) => {
        const wanted = events.filter(
          ({ event }) => options.category === undefined || categoryOf(event.kind) === options.category,
        );
        const lines = wanted.map((event) =>
          options.json ? toJson(event, mask) : `${renderEvent(event, look, mask, run === null)}\n`,
        );
        process.stdout.write(lines.join(''));
      };
      if (options.follow) await follow(db, run, options.after, put);
      else for (const events of pages(db, run, options.after)) put(events);
    });
}

function* pages(db: Db, run: RunId | null, after: number): Generator<LoggedEvent[]> {
  for (let from = after; ;) {
    const events = run === null ? readAllEvents(db, from) : readEvents(db, run, from);
    if (events.length === 0) return;
    yield events;
    from = events.at(-1)?.seq ?? from;
  }
}

async function follow(
  db: Db,
  run: RunId | null,
  after: number,
  put: (events: readonly LoggedEvent[]) => void,
): Promise<void> {
  const { followEvents } = await import('../../storage/tail.ts');
  for await (const events of followEvents(db, { path: home().database, run, after, signal: untilInterrupted() })) {
    put(events);
    if (run !== null && lastOfRun.has(events.at(-1)?.event.kind ?? '')) return;
  }
}
