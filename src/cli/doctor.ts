import type { Command } from 'commander';
import { lookFor, type Tone } from '../ui/style.ts';
import { fit } from '../ui/width.ts';
import { home, print, printJson } from './context.ts';
import { examine, type Finding } from './doctor/examine.ts';
import { exitCodes } from './exit.ts';

export function command(into: Command): Command {
  return into
    .option('--json', 'print JSON')
    .addHelpText('after', '\nThe exit code is 1 when something is broken, 0 when at most something could be better.')
    .action(async (options: { json?: true }) => {
      const findings = await examine(home(), process.env);
      if (options.json) printJson({ ok: findings.every(({ state }) => state !== 'broken'), findings });
      else print(renderFindings(findings));
      if (findings.some(({ state }) => state === 'broken')) process.exitCode = exitCodes.failed;
    });
}

function renderFindings(findings: readonly Finding[]): string[] {
  const look = lookFor(process.stdout, process.env);
  const signs = { good: look.signs.completed, note: look.signs.pending, broken: look.signs.failed } as const;
  const tones: Readonly<Record<Finding['state'], Tone>> = { good: 'good', note: 'dim', broken: 'bad' };
  const width = Math.max(...findings.map(({ name }) => name.length));
  return findings.flatMap(({ name, state, said, hint }) => {
    const line = `${look.paint(signs[state], tones[state])} ${fit(name, width)}  ${look.paint(said, state === 'broken' ? 'bad' : state === 'note' ? 'dim' : 'plain')}`;
    return hint === undefined ? [line] : [line, `${' '.repeat(width + 4)}${hint}`];
  });
}
