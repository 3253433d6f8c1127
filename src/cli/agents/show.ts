import type { Command } from 'commander';
import { hasForm, type AgentProfile } from '../../agents/profile.ts';
import { print, printJson } from '../context.ts';
import { describeLogin, describeVersion, findAgent, type FoundAgent } from './found.ts';

export function command(into: Command): Command {
  return into
    .argument('<name>', 'claude, codex, opencode, … or one of [agents.NAME]')
    .option('--json', 'print JSON')
    .action(async (name: string, options: { json?: true }) => {
      const agent = await findAgent(name);
      if (options.json) printJson(agent);
      else print(renderAgent(agent));
    });
}

function renderAgent(agent: FoundAgent): string[] {
  const { profile, probe, defaults } = agent;
  const { modes, skipping } = profile.permission;
  const modeNames = Object.keys(modes).map((mode) =>
    skipping.includes(mode) ? `${mode} (asks nobody: needs skip_permissions)` : mode,
  );
  return [
    `${profile.title} (${profile.name})`,
    `  program      ${probe.path ?? `${profile.program}, not installed`}`,
    `  version      ${describeVersion(agent)}`,
    `  login        ${describeLogin(agent) || 'not known'}${probe.login.kind === 'none' ? `: ${profile.login.command}` : ''}`,
    ...(['interactive', 'oneshot'] as const).flatMap((mode) => renderForm(profile, mode)),
    `  model        ${defaults.model ?? 'as the program is set'}`,
    `  permissions  ${modeNames.join(', ')}`,
    ...(defaults.skipPermissions ? ['               skip_permissions is set: it asks nobody'] : []),
    `  reports      ${profile.hooks.kind === 'none' ? 'no hooks: its screen is read' : `by hooks of this session alone (${profile.hooks.kind})`}`,
    `  screen       rules "${profile.screen}"`,
  ];
}

function renderForm(profile: AgentProfile, mode: 'interactive' | 'oneshot'): string[] {
  const form = profile.forms[mode];
  const name = mode.padEnd(11);
  if (!hasForm(form)) return [`  ${name}  none: ${form.missing}`];
  const prompt = { argument: 'as an argument', file: 'in a file', stdin: 'on standard input' }[form.promptBy];
  return [
    `  ${name}  ${profile.program} ${form.args.join(' ')}`,
    `               prompt ${prompt}${form.resume === null ? '' : '; can carry on a conversation'}`,
  ];
}
