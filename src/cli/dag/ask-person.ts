import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { Answer, Block } from '../../domain/block.ts';
import { parseAnswer } from '../../domain/parse-answer.ts';
import { CommandError } from '../exit.ts';

/** Shows a question with its choices and lets a person at the terminal answer; asks again until the answer fits. */
export async function askPerson(block: Block): Promise<Answer> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new CommandError('usage', `it asks: ${oneLine(block.question)}`, [
      ...block.choices.map((choice, index) => `${index + 1}  ${choice.label}`),
      'give an answer: cis dag unblock SESSION ANSWER',
    ]);
  }
  process.stdout.write(`${renderQuestion(block).join('\n')}\n`);
  for (;;) {
    const said = await readLine(
      block.choices.length > 0 ? 'Your choice: ' : 'Your answer: ',
      block.kind === 'password',
    );
    const parsed = parseAnswer(block, said);
    if (parsed.ok) return parsed.value;
    process.stdout.write(`${parsed.error}\n`);
  }
}

/** The lines of a question as a person reads them; the preselected choice is marked. */
export function renderQuestion(block: Block): string[] {
  const head = `${block.kind}: ${plain(block.question)}`;
  const wants =
    block.command === undefined
      ? []
      : [
          '',
          ...plain(block.command)
            .split('\n')
            .map((line) => `    ${line}`),
        ];
  const choices = block.choices.map(
    (choice, index) => `${index === block.selected ? '›' : ' '} ${index + 1}  ${oneLine(choice.label)}`,
  );
  return [head, ...wants, ...(choices.length === 0 ? [] : ['', ...choices]), ''];
}

export async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

async function readLine(prompt: string, isSecret: boolean): Promise<string> {
  if (isSecret) process.stdout.write(prompt);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const output = isSecret ? nowhere : process.stdout;
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  lines.on('SIGINT', () => process.exit(130));
  try {
    const line = await lines.question(isSecret ? '' : prompt);
    if (isSecret) process.stdout.write('\n');
    return line;
  } finally {
    lines.close();
  }
}

/** Nothing of a program's text may control the terminal that shows it. */
function plain(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n]/gu, ' ');
}

function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ');
}
