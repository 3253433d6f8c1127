import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { judgeScreen, type RuleBook } from '../../monitor/judge.ts';
import { judgeLine, renderJudgement } from '../../monitor/judge-line.ts';
import { readCastScreen, readInput, type GivenScreen } from '../../monitor/read-input.ts';
import { print, printJson, readConfig } from '../context.ts';
import { CommandError } from '../exit.ts';
import { describeJudgement, openRules } from './judged.ts';

interface Options {
  readonly agent?: string;
  readonly title?: string;
  readonly jsonl?: true;
  readonly json?: true;
}

export function command(into: Command): Command {
  return into
    .argument('[screens...]', 'files with a screen: text, text with escape codes, or a recording (.cast)')
    .option(
      '--agent <name>',
      'the program that drew it: claude, codex, opencode, …; without it, the rules for any program',
    )
    .option('--title <text>', "the window's title")
    .option(
      '--jsonl',
      'read one {"screen", "agent"?, "title"?, "cols"?, "rows"?} a line on stdin, write one verdict a line',
    )
    .option('--json', 'print JSON')
    .action(async (screens: string[], options: Options) => {
      const rules = openRules((await readConfig()).config.agents);
      if (options.jsonl) return judgeStdin(rules);
      if (screens.length === 0)
        throw new CommandError('usage', 'no screen given', [
          'name a file: cis agents test SCREEN.txt',
          'or send lines to: cis agents test --jsonl',
        ]);
      const judged = screens.map((path) => ({
        path,
        judgement: judgeScreen(readInput(givenAt(path, options)), Date.now(), rules),
      }));
      if (options.json)
        printJson({ screens: judged.map(({ path, judgement }) => ({ screen: path, ...renderJudgement(judgement) })) });
      else
        print(
          judged.flatMap(({ path, judgement }) => [path, ...describeJudgement(judgement).map((line) => `  ${line}`)]),
        );
    });
}

async function judgeStdin(rules: RuleBook): Promise<void> {
  const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
  for await (const line of lines) {
    const verdict = `${JSON.stringify(judgeLine(line, Date.now(), rules))}\n`;
    if (!process.stdout.write(verdict)) await new Promise<void>((resolve) => process.stdout.once('drain', resolve));
  }
}

function givenAt(path: string, options: Options): GivenScreen {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new CommandError('not-found', `cannot read ${path}: ${(error as Error).message}`);
  }
  const given = path.endsWith('.cast') ? readCastScreen(text) : { screen: text };
  if (given === null) throw new CommandError('usage', `${path} is not an asciicast recording`);
  return {
    ...given,
    ...(options.agent === undefined ? {} : { agent: options.agent }),
    ...(options.title === undefined ? {} : { title: options.title }),
  };
}
