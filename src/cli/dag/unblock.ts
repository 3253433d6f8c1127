import { InvalidArgumentError, type Command } from 'commander';
import type { Answer, Block } from '../../domain/block.ts';
import { parseAnswer } from '../../domain/parse-answer.ts';
import { parseKeys } from '../../host/keys.ts';
import { CommandError } from '../exit.ts';
import { askPerson, readStdin } from './ask-person.ts';
import { me } from './me.ts';
import { askHost, findSession, livingOf } from './session.ts';

interface UnblockFlags {
  readonly choose?: number;
  readonly text?: string;
  readonly keys?: string;
  readonly json?: boolean;
}

export function command(into: Command): Command {
  return into
    .argument('<session>', 'RUN:TASK, or the beginning of one')
    .argument('[answer]', 'the number or the label of a choice, else text; without it you are asked')
    .option('-c, --choose <n>', 'the choice of this number, from 1', parseNumber)
    .option('-t, --text <text>', 'this text and Enter; - reads it from stdin')
    .option('-k, --keys <keys>', 'just these keys, such as "Down Enter"')
    .option('--json', 'one JSON value: {id, block, answer}')
    .addHelpText(
      'after',
      '\nThe answer is given only while the question is still there; else it is refused with exit code 6 and nothing is pressed.',
    )
    .action(unblock);
}

async function unblock(session: string, said: string | undefined, flags: UnblockFlags): Promise<void> {
  const given = [said, flags.choose, flags.text, flags.keys].filter((one) => one !== undefined).length;
  if (given > 1) throw new CommandError('usage', 'give one answer: ANSWER, --choose, --text or --keys');
  const { unblockMerge } = await import('./unblock-merge.ts');
  if (await unblockMerge(session, flags.json === true)) return;
  using opened = await findSession(session, `unblock (pid ${process.pid})`);
  const { host, session: hosted } = livingOf(opened.found);
  const { id } = opened.found;
  const { state } = hosted;
  if (state.kind !== 'blocked') {
    throw new CommandError('refused', `${id} does not wait for an answer`, [
      `why: cis dag why ${id}`,
      `to type into it all the same: cis dag send ${id} TEXT --enter`,
    ]);
  }
  const { block } = state;
  const answer = await readAnswer(block, said, flags);
  const { fingerprint } = block;
  await askHost(host, { kind: 'answer', block: block.id, fingerprint, answer, source: me() });
  if (flags.json === true)
    process.stdout.write(`${JSON.stringify({ id, block: block.id, answer: shown(block, answer) })}\n`);
  else process.stdout.write(`answered ${id}: ${describe(block, answer)}\n`);
}

async function readAnswer(block: Block, said: string | undefined, flags: UnblockFlags): Promise<Answer> {
  if (flags.choose !== undefined) {
    if (block.choices[flags.choose - 1] === undefined) throw noSuchChoice(block, `there is no choice ${flags.choose}`);
    return { kind: 'choose', index: flags.choose - 1 };
  }
  if (flags.keys !== undefined) {
    const keys = parseKeys(flags.keys);
    if (keys.ok) return { kind: 'keys', keys: keys.value.join('') };
    throw new CommandError('usage', `--keys: ${keys.error}`);
  }
  if (flags.text === '-') return { kind: 'text', text: await readStdin() };
  const words = flags.text ?? said;
  if (words !== undefined && block.kind === 'password') {
    throw new CommandError('usage', 'a password on a command line can be read by others', [
      'leave the answer out to be asked for it, or give it on stdin: --text -',
    ]);
  }
  if (flags.text !== undefined) return { kind: 'text', text: flags.text };
  if (said === undefined) return askPerson(block);
  const parsed = parseAnswer(block, said);
  if (!parsed.ok) throw noSuchChoice(block, parsed.error);
  return parsed.value;
}

function noSuchChoice(block: Block, message: string): CommandError {
  const choices = block.choices.map((choice, index) => `${index + 1}  ${choice.label}`);
  return new CommandError('usage', message, choices.length === 0 ? [`it asks: ${block.question}`] : choices);
}

function describe(block: Block, answer: Answer): string {
  switch (answer.kind) {
    case 'choose':
      return `${answer.index + 1} ${block.choices[answer.index]?.label ?? ''}`;
    case 'text':
      if (block.kind === 'password' || block.kind === 'login') return 'done';
      return answer.text === '' ? 'Enter' : answer.text;
    case 'keys':
      return 'keys pressed';
  }
}

function shown(block: Block, answer: Answer): Answer | null {
  return block.kind === 'password' || block.kind === 'login' ? null : answer;
}

function parseNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a whole number from 1');
  return value;
}
