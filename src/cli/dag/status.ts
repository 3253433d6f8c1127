import type { Command } from 'commander';
import { home, needDatabase, openScreenRedactor, print, printJson, readConfig, untilInterrupted } from '../context.ts';
import { namedRun } from '../pick.ts';
import type { Db } from '../../storage/open.ts';
import { readOutput, readRunSettings } from '../../storage/read.ts';
import { readPicture } from '../../storage/read-picture.ts';
import { buildReport, failedTasks } from '../../domain/report.ts';
import type { RunPicture } from '../../domain/picture.ts';
import type { RunId } from '../../domain/ids.ts';
import { pictureToJson } from '../../ui/picture-json.ts';
import { renderRunTable } from '../../ui/run-table.ts';
import { renderReport, tailOf } from '../../ui/report.ts';
import { lookFor } from '../../ui/style.ts';

interface Options {
  readonly verbose?: true;
  readonly watch?: true;
  readonly json?: true;
}

export function command(into: Command): Command {
  return into
    .argument('[run]', 'its id or the beginning of it; default: the run of `dag use`, else the newest')
    .option('-v, --verbose', 'with the last lines of what failed')
    .option('-w, --watch', 'stay and show what changes, until the run ends')
    .option('--json', 'print JSON; with --watch one value per change')
    .action(async (text: string | undefined, options: Options) => {
      const db = await needDatabase();
      const { run } = namedRun(db, text);
      const mask = await openScreenRedactor((await readConfig()).config, readRunSettings(db, run));
      if (options.watch) await watch(db, run, options, mask);
      else show(db, run, options, mask);
    });
}

function show(db: Db, run: RunId, options: Options, mask: (text: string) => string): void {
  const picture = pictureOf(db, run);
  if (options.json) return printJson(pictureToJson(picture));
  print(renderTable(picture, process.stdout.columns ?? 120, Infinity, mask));
  if (options.verbose !== true) return;
  const report = buildReport(picture);
  const tails = new Map(
    failedTasks(report).map(({ task }) => [task, tailOf(readOutput(db, run, task, null)?.text ?? '', 15)]),
  );
  const look = lookFor(process.stdout, process.env);
  print(renderReport(report, { look, columns: process.stdout.columns ?? 120, tails, mask, withTasks: true }));
}

async function watch(db: Db, run: RunId, options: Options, mask: (text: string) => string): Promise<void> {
  const { watchCommits } = await import('../../storage/tail.ts');
  const { openLive } = await import('../../ui/live.ts');
  const signal = untilInterrupted();
  const ended = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => ended.resolve());
  let picture = pictureOf(db, run);
  const onTerminal = process.stdout.isTTY && options.json !== true;
  const render = (columns: number, rows: number) => renderTable(picture, columns, rows, mask);
  const live = onTerminal ? openLive(process.stdout, render, () => picture.endedAt === null) : null;
  const put = () => {
    if (options.json) printJson(pictureToJson(picture));
    else if (live === null) print([...render(process.stdout.columns ?? 120, Infinity), '']);
    else live.changed();
    if (picture.endedAt !== null) ended.resolve();
  };
  using _ = watchCommits(db, home().database, () => {
    const before = JSON.stringify(pictureToJson(picture));
    picture = pictureOf(db, run);
    if (JSON.stringify(pictureToJson(picture)) !== before) put();
  });
  picture = pictureOf(db, run);
  put();
  await ended.promise;
  live?.paint();
  live?.[Symbol.dispose]();
}

function pictureOf(db: Db, run: RunId): RunPicture {
  const picture = readPicture(db, run);
  if (picture === null) throw new Error(`run ${run} went away`);
  return picture;
}

function renderTable(picture: RunPicture, columns: number, rows: number, mask: (text: string) => string): string[] {
  const look = lookFor(process.stdout, process.env);
  return renderRunTable(picture, { now: Date.now(), columns, rows, look, lastLine: () => null, mask });
}
