import type { Command } from 'commander';
import { lookFor, type Tone } from '../../ui/style.ts';
import { fit } from '../../ui/width.ts';
import { print, printJson } from '../context.ts';
import { describeLogin, describeVersion, findAgents, type FoundAgent } from './found.ts';

interface Finding {
  readonly name: string;
  readonly state: 'good' | 'note' | 'absent';
  readonly said: string;
  readonly hint?: string;
}

export function command(into: Command): Command {
  return into
    .option('--json', 'print JSON')
    .addHelpText('after', '\nNothing is sent anywhere and no secret is read: a login is only seen, not tried.')
    .action(async (options: { json?: true }) => {
      const findings = (await findAgents()).map(examine);
      if (options.json) printJson({ findings });
      else print(render(findings));
    });
}

function examine(agent: FoundAgent): Finding {
  const { profile, probe } = agent;
  const { name } = profile;
  if (probe.path === null) return { name, state: 'absent', said: 'not installed' };
  if (probe.login.kind === 'none') {
    return {
      name,
      state: 'note',
      said: `${describeVersion(agent)}, no sign of a login`,
      hint: `log in with: ${profile.login.command}`,
    };
  }
  const login = describeLogin(agent);
  const said = login === '' ? describeVersion(agent) : `${describeVersion(agent)}, login ${login}`;
  if (probe.tried || profile.triedVersions.length === 0) return { name, state: 'good', said };
  return { name, state: 'note', said, hint: 'if a screen of it is misread, report it with `cis agents record`' };
}

function render(findings: readonly Finding[]): string[] {
  const look = lookFor(process.stdout, process.env);
  const signs = { good: look.signs.completed, note: look.signs.pending, absent: look.signs.skipped } as const;
  const tones: Readonly<Record<Finding['state'], Tone>> = { good: 'good', note: 'ask', absent: 'dim' };
  const width = Math.max(...findings.map(({ name }) => name.length));
  return findings.flatMap(({ name, state, said, hint }) => {
    const line = `${look.paint(signs[state], tones[state])} ${fit(name, width)}  ${look.paint(said, state === 'absent' ? 'dim' : 'plain')}`;
    return hint === undefined ? [line] : [line, `${' '.repeat(width + 4)}${hint}`];
  });
}
