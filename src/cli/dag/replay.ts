import { existsSync } from 'node:fs';
import { InvalidArgumentError, type Command } from 'commander';
import { decodeText } from '../../host/cast.ts';
import { readCastEvents } from '../../host/transcript.ts';
import { CommandError } from '../exit.ts';
import { castPath, findSession, openSessionRedactor } from './session.ts';

interface ReplayFlags {
  readonly speed: number;
  readonly idleLimit?: number;
}

export function command(into: Command): Command {
  return into
    .argument('<session>', 'RUN:TASK, RUN:TASK#ATTEMPT, or the beginning of one')
    .option('--speed <factor>', '2 is twice as fast', parsePositive, 1)
    .option('--idle-limit <seconds>', 'pauses are cut to this', parsePositive)
    .action(replay);
}

/** Plays a recording as it happened: the output only, on a terminal as large as the session's is best. */
async function replay(text: string, flags: ReplayFlags): Promise<void> {
  using opened = await findSession(text, 'replay');
  if (opened.found.node !== null) {
    const { id, node } = opened.found;
    throw new CommandError('refused', `the recording of ${id} lies on ${node.name}, where it can be replayed`, [
      `what it wrote: cis dag logs ${id} --raw`,
    ]);
  }
  const path = castPath(opened.home, opened.found);
  if (!existsSync(path)) throw new CommandError('not-found', `${opened.found.id} has no recording at ${path}`);
  const pieces = (await openSessionRedactor(opened)).openChunks();
  let playedAt = 0;
  for (const [at, kind, data] of readCastEvents(path)) {
    const pause = Math.min(Math.max(0, at - playedAt), flags.idleLimit ?? Infinity) / flags.speed;
    playedAt = at;
    if (kind !== 'o') continue;
    if (pause > 0) await new Promise((resolve) => void setTimeout(resolve, pause * 1000));
    if (!process.stdout.write(pieces.push(decodeText(data).toString('utf8'))))
      await new Promise((resolve) => void process.stdout.once('drain', resolve));
  }
  process.stdout.write(pieces.end());
  if (process.stdout.isTTY) process.stdout.write('\u001b[m\u001b[?25h\n');
}

function parsePositive(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('a number above 0');
  return value;
}
