import { openRuleBook, type Judgement, type RuleBook } from '../../monitor/judge.ts';
import { parseRules } from '../../monitor/parse-rules.ts';
import type { Rule } from '../../monitor/rule.ts';
import type { AgentTables } from '../../agents/profiles.ts';
import { CommandError } from '../exit.ts';

/** The rules of cis with the user's on top. */
export function openRules(agents: AgentTables): RuleBook {
  const own: Rule[] = [];
  const problems: string[] = [];
  for (const [agent, table] of Object.entries(agents)) {
    if (table['rules'] === undefined) continue;
    const parsed = parseRules(agent, table['rules']);
    if (parsed.ok) own.push(...parsed.value);
    else problems.push(...parsed.error);
  }
  const [first, ...rest] = problems;
  if (first !== undefined) throw new CommandError('usage', first, rest);
  return openRuleBook(own);
}

/** A judgement in lines for a person. */
export function describeJudgement(judgement: Judgement): string[] {
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
