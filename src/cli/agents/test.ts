import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { openRuleBook, judgeScreen, type Judgement, type RuleBook } from '../../monitor/judge.ts';
import { judgeLine, renderJudgement } from '../../monitor/judge-line.ts';
import { parseRules } from '../../monitor/parse-rules.ts';
import { readCastScreen, readInput, type GivenScreen } from '../../monitor/read-input.ts';
import type { Rule } from '../../monitor/rule.ts';
import { print, printJson, readConfig } from '../context.ts';
import { CommandError } from '../exit.ts';

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
      const rules = await openRules();
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
      else print(judged.flatMap(({ path, judgement }) => [path, ...describe(judgement).map((line) => `  ${line}`)]));
    });
}

/** The rules of cis with the user's on top. */
async function openRules(): Promise<RuleBook> {
  const { config } = await readConfig();
  const own: Rule[] = [];
  const problems: string[] = [];
  for (const [agent, table] of Object.entries(config.agents)) {
    if (table['rules'] === undefined) continue;
    const parsed = parseRules(agent, table['rules']);
    if (parsed.ok) own.push(...parsed.value);
    else problems.push(...parsed.error);
  }
  const [first, ...rest] = problems;
  if (first !== undefined) throw new CommandError('usage', first, rest);
  return openRuleBook(own);
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

function describe(judgement: Judgement): string[] {
  const seen = judgement.evidence === '' ? [] : [`saw       ${judgement.evidence.trim()}`];
  if (judgement.state !== 'blocked') return [judgement.state, `rule      ${judgement.rule}`, ...seen];
  const { kind, question, choices, selected, command, until, strength } = judgement;
  return [
    `blocked (${kind}${strength === 'weak' ? ', after two seconds of quiet' : ''})`,
    ...(question === '' ? [] : [`asks      ${question}`]),
    ...(command === undefined ? [] : [`command   ${command}`]),
    ...choices.map(
      (choice, index) =>
        `${index === 0 ? 'choices ' : '        '}${index === selected ? ' >' : '  '} ${choice.key === undefined ? '' : `${choice.key}  `}${choice.label}`,
    ),
    ...(until === undefined ? [] : [`until     ${new Date(until).toISOString()}`]),
    `rule      ${judgement.rule}`,
    ...seen,
  ];
}
