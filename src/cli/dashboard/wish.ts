import type { Config } from '../../config/config.ts';
import type { Home } from '../../config/home.ts';
import type { AnswerSource } from '../../domain/block.ts';
import type { RunId } from '../../domain/ids.ts';
import type { RunRequest } from '../../domain/request.ts';
import { askRun } from '../../executor/ask.ts';
import { readRunSettings } from '../../storage/read.ts';
import type { Notice } from '../../ui/dashboard/state.ts';
import { driveOptions } from '../dag/drive-options.ts';
import { openToWrite } from '../dag/open-storage.ts';

/** Tells a run what a person wishes, and says what became of it. */
export async function wishOf(
  home: Home,
  config: Config,
  run: RunId,
  request: RunRequest,
  source: AnswerSource,
): Promise<Notice> {
  const db = openToWrite(home);
  try {
    const settings = readRunSettings(db, run);
    if (settings === null) return { text: `${run} is gone`, tone: 'bad' };
    const options = await driveOptions(home, db, settings, config, `dashboard: ${request.kind} ${run}`);
    const outcome = await askRun(options, request, source);
    if (outcome.kind === 'done') return { text: outcome.said, tone: 'good' };
    const text = outcome.kind === 'refused' ? outcome.reason : `${run} could not be told (${outcome.end.kind})`;
    return { text, tone: 'bad' };
  } finally {
    db.close();
  }
}
