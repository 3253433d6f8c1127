import type { Command } from 'commander';
import { addressOf } from '../../federation/remote/reach.ts';
import { writeLatency } from '../../storage/nodes.ts';
import { print, printJson } from '../context.ts';
import { CommandError } from '../exit.ts';
import { openWriter } from '../matrix/context.ts';
import { wholeNumber } from '../numbers.ts';
import { needDid, needIdentity } from './context.ts';
import { medianOf, pingNode } from './reach.ts';

export function command(into: Command): Command {
  return into
    .argument('<node>', 'its key, the end of it, or its name')
    .option('-n, --count <n>', 'how often', wholeNumber, 3)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nThe way goes through the homeserver, both ways, sealed. What is measured counts when tasks are placed.',
    )
    .action(ping);
}

async function ping(text: string, options: { readonly count: number; readonly json?: true }): Promise<void> {
  needIdentity();
  const db = openWriter();
  const did = needDid(db, text);
  const known = addressOf(db, did);
  if (known === null) {
    throw new CommandError('not-found', `${text} was never heard: nobody knows where it is`, ['cis node list']);
  }
  const answer = await pingNode(known, options.count);
  if (!answer.ok) throw new CommandError('unreachable', answer.reason);
  const ms = medianOf(answer.roundMs);
  writeLatency(db, did, ms);
  db.close();
  if (options.json)
    printJson({ node: known.name, did, open_ms: Math.round(answer.openMs), round_ms: answer.roundMs.map(Math.round) });
  else
    print([
      `${known.name} answers in ${Math.round(ms)} ms (median of ${options.count}; the channel took ${Math.round(answer.openMs)} ms)`,
    ]);
}
