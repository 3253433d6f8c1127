import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { connectDevice } from '../../bridge/connect.ts';
import type { ShownEmoji, VerifyProblem } from '../../matrix/crypto/verify.ts';
import { print, printJson, untilInterrupted } from '../context.ts';
import { CommandError } from '../exit.ts';
import { failed, files, needAccount, openWriter } from './context.ts';

interface Options {
  readonly ask?: true;
  readonly json?: true;
}

export function command(into: Command): Command {
  return into
    .option('--ask', 'ask your other clients of this account; without it, wait for a client to ask')
    .option('--json', 'print JSON')
    .action(verify);
}

async function verify(options: Options): Promise<void> {
  const account = needAccount();
  const { verifyByEmoji } = await import('../../matrix/crypto/verify.ts');
  const device = await connectDevice(files(), account, openWriter());
  if (!device.ok) throw new CommandError('refused', device.error.detail, ['try again when no run uses the room']);
  const say = (line: string): boolean => process.stderr.write(`${line}\n`);
  if (options.ask !== true) {
    say(
      `waiting: in Element, open the profile of ${account.userId}, choose "Verify", then "compare emoji" (Ctrl-C ends)`,
    );
  }
  try {
    const verified = await verifyByEmoji(device.value, {
      ask: options.ask === true,
      signal: untilInterrupted(),
      onProgress: say,
      compare,
    });
    if (!verified.ok) throw problemOf(verified.error);
    if (options.json) printJson({ verified: verified.value });
    else print([`verified with ${verified.value}`]);
  } finally {
    await device.value.transport.close();
  }
}

async function compare(emoji: readonly ShownEmoji[], other: string): Promise<boolean> {
  const { stderr, stdin } = process;
  stderr.write(`${other} should see the same:\n`);
  for (const { symbol, description } of emoji) stderr.write(`  ${symbol}  ${description}\n`);
  const reader = createInterface({ input: stdin, output: stderr });
  const answer = await reader.question('Are they the same there? [y/N] ');
  reader.close();
  return /^y(es)?$/i.test(answer.trim());
}

function problemOf(problem: VerifyProblem): CommandError {
  if (problem.kind === 'cancelled') return new CommandError('refused', `not verified: ${problem.reason}`);
  if (problem.kind !== 'nobody-to-ask') return failed(problem, 'cannot verify');
  return new CommandError('refused', 'this account has no other client that could verify this one');
}
