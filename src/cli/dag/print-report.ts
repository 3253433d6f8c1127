import type { RunPicture } from '../../domain/picture.ts';
import { buildReport, failedTasks } from '../../domain/report.ts';
import type { Db } from '../../storage/open.ts';
import { readOutput } from '../../storage/read.ts';
import { renderReport, tailOf } from '../../ui/report.ts';
import { lookFor } from '../../ui/style.ts';
import { print } from '../context.ts';

/** Prints how a run went: what failed with the last lines it showed, and the sum. */
export function printReport(db: Db, picture: RunPicture, mask: (text: string) => string): void {
  const report = buildReport(picture);
  const tails = new Map(
    failedTasks(report).map(({ task }) => [task, tailOf(readOutput(db, picture.run, task, null)?.text ?? '', 15)]),
  );
  const look = lookFor(process.stdout, process.env);
  print(renderReport(report, { look, columns: process.stdout.columns ?? 120, tails, mask, withTasks: false }));
}
